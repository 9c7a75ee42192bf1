"""CIFAR-10 from its official archive, or from a lossy copy as JPEG files."""

from __future__ import annotations

import io
import pickle
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mho.data import official, store
from mho.data.catalogue import CifarRow
from mho.data.dataset import Dataset
from mho.data.decoded import keep, recall
from mho.data.images import load_image_tree
from mho.data.progress import bar
from mho.data.sources import Source, SourceFailed, first_that_works, unset_mho_data
from mho.errors import DataError

BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
SHAPE = (3, 32, 32)
UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    ValueError,
)
# What pickles of NumPy arrays need, by the module names of old and new NumPy; nothing here can run other
# code.
ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


def load_cifar(row: CifarRow, *, folders: list[tuple[str, Path]], cache: Path, show: bool) -> Dataset:
    """Return CIFAR-10 from the first source that has it; a folder's exact archive goes before its JPEGs."""
    kept = _kept(row, cache)
    sources = [Source(f"cache {kept}", partial(_from_cache, row, kept))]
    for label, folder in folders:
        sources.append(Source(label, partial(_from_folder, row, folder, cache, show)))
    if not any(label.startswith("MHO_DATA") for label, _ in folders):
        sources.append(Source("MHO_DATA", unset_mho_data))
    url = f"{row.official}{row.archive}"
    sources.append(Source(f"official address {url}", partial(_from_official, row, url, cache, show)))
    advice = (
        f"Set MHO_DATA to a folder that holds {row.archive} (or {row.jpeg_patterns[0]}, a lossy copy), or "
        "use the built-in data set: --data digits."
    )
    return first_that_works(row.title, sources, advice=advice)[1]


def _from_cache(row: CifarRow, kept: Path) -> Dataset:
    dataset = recall(kept, name=row.name, source=f"{row.title}, decoded earlier from the official archive")
    if dataset is None:
        raise SourceFailed("no intact decoded copy is there")
    return dataset


def _from_folder(row: CifarRow, folder: Path, cache: Path, show: bool) -> Dataset:
    if not folder.is_dir():
        raise SourceFailed("there is no such folder")
    places = [place for place in (folder, *(folder / name for name in row.folders)) if place.is_dir()]
    for place in places:
        path = place / row.archive
        if path.is_file():
            found = store.md5_file(path)
            if found != row.md5:
                raise DataError(
                    f"{path} was found for {row.title}, but has md5 {found}, expected {row.md5}: it is "
                    "truncated or not the official archive. Replace it, or unset MHO_DATA."
                )
            return _read_archive(row, path, source=str(path), cache=cache, show=show)
    for place in places:
        for path in (match for pattern in row.jpeg_patterns for match in sorted(place.glob(pattern))):
            return _lossy(row, path, cache, show)
    raise SourceFailed(f"holds neither {row.archive} nor {' nor '.join(row.jpeg_patterns)}")


def _lossy(row: CifarRow, path: Path, cache: Path, show: bool) -> Dataset:
    dataset = load_image_tree(path, cache=cache, show=show)
    counts = (len(dataset.train_labels), len(dataset.test_labels)) if dataset else (0, 0)
    if dataset is None or counts != row.counts or dataset.classes != row.classes or dataset.shape != SHAPE:
        found = f"{len(dataset.classes)} classes of shape {dataset.shape}" if dataset else "no image"
        raise DataError(
            f"{path} was found for {row.title}, but holds {counts} images (train, test), {found}; expected "
            f"{row.counts} of 10 classes, {SHAPE}. Give your own images by their path: --data {path}."
        )
    source = (
        f"lossy JPEG copies of {row.title} ({dataset.source}); accuracies are not comparable with those "
        f"published for {row.title}"
    )
    return replace(dataset, name=f"{row.name}-jpeg", source=source)


def _from_official(row: CifarRow, url: str, cache: Path, show: bool) -> Dataset:
    with tempfile.TemporaryDirectory(prefix="mho-cifar-") as folder:
        path = Path(folder, row.archive)
        with path.open("wb") as stream:
            official.download(url, stream, show=show)
        found = store.md5_file(path)
        if found != row.md5:
            raise SourceFailed(f"{row.archive} came with md5 {found}, expected {row.md5}")
        return _read_archive(row, path, source=url, cache=cache, show=show)


def _kept(row: CifarRow, cache: Path) -> Path:
    return cache / row.name / "official.npz"


def _read_archive(row: CifarRow, path: Path, *, source: str, cache: Path, show: bool) -> Dataset:
    """Return the data set in the official archive, its checksum already verified, and keep it decoded."""
    batches = {}
    try:
        with bar(f"reading {path.name}", total=len(BATCHES), show=show) as progress:
            for name, raw in _members(path):
                batches[name] = _batch(raw, f"{path}: {name}")
                progress.advance()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: reading the archive failed ({error}); fetch it again.") from error
    missing = [name for name in BATCHES if name not in batches]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)} of {row.title}; fetch it again.")
    train = [batches[name] for name in BATCHES[:-1]]
    dataset = Dataset(
        name=row.name,
        classes=row.classes,
        train_images=np.concatenate([images for images, _ in train]),
        train_labels=np.concatenate([labels for _, labels in train]),
        test_images=batches["test_batch"][0],
        test_labels=batches["test_batch"][1],
        source=f"{row.title} from {source}, checksum verified",
        checksums={row.archive: row.md5},
    )
    keep(dataset, _kept(row, cache))
    return dataset


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.rsplit("/", 1)[-1]
            stream = archive.extractfile(member) if name in BATCHES and member.isfile() else None
            if stream is not None:
                yield name, stream.read()


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that knows NumPy arrays and plain containers, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data file")
        return super().find_class(module, name)


def _batch(raw: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (images, labels) of one batch: {b"data": (n, 3072) uint8, b"labels": n integers}."""
    try:
        content = _ArraysOnly(io.BytesIO(raw), encoding="bytes").load()
        images = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, *SHAPE)
        return images, np.asarray(content[b"labels"], dtype=np.int64)
    except UNREADABLE as error:
        raise DataError(f"{where} is not a CIFAR-10 batch ({error}); fetch the archive again.") from error
