"""Decoded images in the cache: one .npz a data set, whose zip format carries a CRC-32 of every array."""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from mho.data import store
from mho.data.dataset import Dataset

UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    NotImplementedError,
)
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def keep(dataset: Dataset, path: Path) -> None:
    """Write the arrays, classes and checksums of `dataset` to `path`, atomically."""
    about = json.dumps({"classes": dataset.classes, "checksums": dataset.checksums, "scale": dataset.scale})
    arrays = {name: getattr(dataset, name) for name in ARRAYS}
    store.write_atomic(path, lambda stream: np.savez(stream, about=np.array(about), **arrays))


def recall(path: Path, *, name: str, source: str) -> Dataset | None:
    """Return the data set kept in `path`; None when there is none or (with a warning) when it is damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            arrays = {key: stored[key] for key in ARRAYS}
        return Dataset(
            name=name,
            classes=tuple(about["classes"]),
            scale=int(about["scale"]),
            source=source,
            checksums=about["checksums"],
            **arrays,
        )
    except UNREADABLE as error:
        warnings.warn(f"{path} in the cache is corrupt ({error}); decoding the images again", stacklevel=2)
        return None
