"""Write src/mho/data/digits.npz from the copy of the UCI digits in scikit-learn (needed only to make it
again).

Run: python scripts/make_digits.py  (with scikit-learn installed; 1.9.1 was used). It prints the checksum that
src/mho/data/digits.py expects.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def main() -> None:
    """Write the arrays in file order, as unsigned bytes."""
    bunch = load_digits()
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    path = Path(__file__).parents[1] / "src" / "mho" / "data" / "digits.npz"
    np.savez_compressed(path, images=images, labels=labels)
    digest = hashlib.md5(images.tobytes() + labels.tobytes(), usedforsecurity=False).hexdigest()
    print(f"{path}: {len(labels)} images, {path.stat().st_size} bytes, md5 of the arrays {digest}")


if __name__ == "__main__":
    main()
