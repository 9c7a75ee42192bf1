"""CIFAR-10 from small stand-ins of the official archive and of the JPEG copy."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mho.data
from data.fakes import DEAD_ADDRESS
from mho.data import cifar, load
from mho.data.catalogue import CIFAR10, CifarRow
from mho.data.store import md5_file
from mho.errors import DataError


def batch(first: int, n: int = 4) -> dict[bytes, Any]:
    """Return a batch in the archive's layout: row k holds the bytes of image `first + k`, planes R, G, B."""
    data = np.stack([np.arange(3072) * (first + k + 1) % 251 for k in range(n)]).astype(np.uint8)
    return {b"batch_label": b"a batch", b"data": data, b"labels": [(first + k) % 10 for k in range(n)]}


def make_archive(path: Path, contents: dict[str, Any]) -> Path:
    """Write an archive of pickles in the layout of the official one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            raw = pickle.dumps(content, protocol=2)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return path


def batches() -> dict[str, Any]:
    """Return five training batches and a test batch, not in the order in which they are wanted."""
    contents = {name: batch(4 * index) for index, name in enumerate(cifar.BATCHES)}
    return dict(reversed(contents.items())) | {"batches.meta": {b"label_names": []}}


def use(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> CifarRow:
    """Put a row without network in CIFAR-10's place."""
    row = replace(CIFAR10, official=DEAD_ADDRESS, **changes)
    monkeypatch.setattr(mho.data, "CIFAR10", row)
    return row


def test_the_official_archive_is_read_in_order_and_kept(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_archive(room / "mine" / "cifar10" / CIFAR10.archive, batches())
    use(monkeypatch, md5=md5_file(path))
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    dataset = load("cifar10")
    assert dataset.name == "cifar10"
    assert dataset.train_labels.tolist() == [k % 10 for k in range(20)]
    expected = (np.arange(3072) * 6 % 251).astype(np.uint8).reshape(3, 32, 32)
    assert (dataset.train_images[5] == expected).all()
    assert dataset.test_labels.tolist() == [0, 1, 2, 3]
    path.unlink()
    again = load("cifar10")
    assert "decoded earlier" in again.source
    assert (again.train_images == dataset.train_images).all()


def test_a_wrong_checksum_is_refused_before_anything_is_unpickled(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_archive(room / "mine" / CIFAR10.archive, batches())
    use(monkeypatch)
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    monkeypatch.setattr(cifar, "_batch", lambda *_: pytest.fail("unpickled an unverified file"))
    with pytest.raises(DataError, match=f"has md5 .* expected {CIFAR10.md5}"):
        load("cifar10")


class Hostile:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("owned",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Hostile(), r"mkdir is not allowed in a data file"),
        ({b"data": np.zeros((2, 3072), dtype=np.uint8)}, "labels"),
        ({b"data": np.zeros((2, 3000), dtype=np.uint8), b"labels": [0, 0]}, "reshape"),
        ([], "not a CIFAR-10 batch"),
    ],
)
def test_a_batch_that_is_none_is_refused(
    room: Path, monkeypatch: pytest.MonkeyPatch, content: Any, reason: str
) -> None:
    path = make_archive(room / "mine" / CIFAR10.archive, {**batches(), "data_batch_3": content})
    use(monkeypatch, md5=md5_file(path))
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    monkeypatch.chdir(room)
    with pytest.raises(DataError, match=f"data_batch_3.*{reason}"):
        load("cifar10")
    assert not (room / "owned").exists()


def test_a_missing_batch_is_named(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = batches()
    del contents["data_batch_4"]
    path = make_archive(room / "mine" / CIFAR10.archive, contents)
    use(monkeypatch, md5=md5_file(path))
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    with pytest.raises(DataError, match="lacks data_batch_4"):
        load("cifar10")


def make_jpegs(room: Path) -> None:
    """Write `mine/cifar10-jpeg-q75.tar.xz` with two training images and one test image a class."""
    for split, count in (("train", 2), ("test", 1)):
        for index, label in enumerate(CIFAR10.classes):
            folder = room / "cifar_jpg" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (32, 32), (20 * index, 0, 0)).save(folder / f"{number:04}.jpg")
    (room / "mine").mkdir(exist_ok=True)
    with tarfile.open(room / "mine" / "cifar10-jpeg-q75.tar.xz", "w:xz") as archive:
        archive.add(room / "cifar_jpg", "cifar_jpg")


def test_the_jpeg_copy_has_a_name_of_its_own(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jpegs(room)
    use(monkeypatch, counts=(20, 10))
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    dataset = load("cifar10")
    assert dataset.name == "cifar10-jpeg"
    assert "lossy" in dataset.source
    assert dataset.classes == CIFAR10.classes


def test_the_exact_archive_goes_before_the_jpeg_copy(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jpegs(room)
    path = make_archive(room / "mine" / CIFAR10.archive, batches())
    use(monkeypatch, md5=md5_file(path), counts=(20, 10))
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    assert load("cifar10").name == "cifar10"


def test_an_incomplete_jpeg_copy_is_refused(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jpegs(room)
    use(monkeypatch)
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    with pytest.raises(DataError, match=r"holds \(20, 10\) images .* expected \(50000, 10000\)"):
        load("cifar10")


def test_without_any_source_the_reasons_are_listed(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    with pytest.raises(DataError, match=rf"cache .*MHO_DATA: not set.*{DEAD_ADDRESS}.*refused.*--data digits"):
        load("cifar10")
