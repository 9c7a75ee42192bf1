"""Trees of images in folders and archives, and what the cache keeps of them."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mho.data import images, load
from mho.errors import DataError

CLASSES = ("ant", "bee", "cat")
COUNTS = {"train": 4, "test": 2}


def pixel(split: str, label: str, number: int) -> int:
    """Return the grey value of an image: another for each."""
    return 100 * (split == "test") + 10 * CLASSES.index(label) + number


def make_tree(root: Path, *, mode: str = "L", suffix: str = "png", size: tuple[int, int] = (5, 4)) -> Path:
    """Write a tree of one-coloured images, `size` = (width, height)."""
    for split, count in COUNTS.items():
        for label in CLASSES:
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                grey = pixel(split, label, number)
                image = Image.new(mode, size, grey if mode == "L" else (grey, 0, 255))
                image.save(folder / f"{number:04}.{suffix}")
    return root


def test_a_tree_is_read_class_by_class(room: Path) -> None:
    dataset = load(make_tree(room / "insects"))
    assert dataset.name == "insects"
    assert dataset.classes == CLASSES
    assert dataset.shape == (1, 4, 5)
    # One of each class, then the next of each, so that any leading part is balanced.
    assert dataset.train_labels.tolist() == [0, 1, 2] * 4
    assert dataset.train_images[:, 0, 0, 0].tolist() == [0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23]
    assert dataset.test_images[:, 0, 0, 0].tolist() == [100, 110, 120, 101, 111, 121]
    assert (dataset.train_images == dataset.train_images[:, :, :1, :1]).all()


def test_colour_images_have_three_channels(room: Path) -> None:
    dataset = load(make_tree(room / "insects", mode="RGB"))
    assert dataset.shape == (3, 4, 5)
    assert dataset.train_images[1, :, 2, 2].tolist() == [10, 0, 255]


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz"])
def test_an_archive_gives_the_same_as_its_folder(room: Path, ending: str) -> None:
    tree = make_tree(room / "insects", mode="RGB", suffix="jpg")
    (tree / "train" / "README.md").write_text("not an image")
    with tarfile.open(room / f"packed.{ending}", "w:" + ending[4:]) as archive:
        archive.add(tree, "deep/insects")
    found, expected = load(room / f"packed.{ending}"), load(tree)
    assert found.name == "packed"
    assert (found.train_images == expected.train_images).all()
    assert (found.train_labels == expected.train_labels).all()
    assert (found.test_images == expected.test_images).all()


def test_a_tree_one_level_down_is_found(room: Path) -> None:
    make_tree(room / "outer" / "insects")
    assert len(load(room / "outer").train_labels) == 12


def test_decoded_images_are_kept_until_a_file_changes(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "KEEP_FROM", 1)
    tree = make_tree(room / "insects")
    first = load(tree)
    again = load(tree)
    assert "decoded earlier" in again.source
    assert "decoded earlier" not in first.source
    assert again.classes == first.classes
    assert again.checksums == first.checksums
    assert (again.train_images == first.train_images).all()
    Image.new("L", (5, 4), 77).save(tree / "test" / "ant" / "0002.png")
    changed = load(tree)
    assert "decoded earlier" not in changed.source
    assert 77 in changed.test_images
    rewritten = tree / "train" / "ant" / "0000.png"
    stat = rewritten.stat()
    os.utime(rewritten, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    assert "decoded earlier" not in load(tree).source


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_decoded_copy_is_named_and_made_again(
    room: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(images, "KEEP_FROM", 1)
    tree = make_tree(room / "insects")
    first = load(tree)
    (kept,) = (room / "cache" / "images").iterdir()
    raw = bytearray(kept.read_bytes())
    if damage == "flip":
        raw[raw.index(first.train_images.tobytes()) + 7] ^= 1
    kept.write_bytes({"flip": raw, "truncate": raw[: len(raw) // 2], "empty": b""}[damage])
    with pytest.warns(UserWarning, match=rf"{kept.name} in the cache is corrupt"):
        dataset = load(tree)
    assert (dataset.train_images == first.train_images).all()
    assert "decoded earlier" in load(tree).source


def test_a_damaged_image_is_named(room: Path) -> None:
    tree = make_tree(room / "insects")
    bad = tree / "train" / "bee" / "0002.png"
    bad.write_bytes(bad.read_bytes()[:40])
    with pytest.raises(DataError, match=r"train/bee/0002\.png .* found 40 bytes that cannot be"):
        load(tree)
    bad.write_bytes(b"text")
    with pytest.raises(DataError, match=r"0002\.png .* found 4 bytes that cannot be \(no image\)"):
        load(tree)


def test_an_image_of_another_size_is_named(room: Path) -> None:
    tree = make_tree(room / "insects")
    Image.new("L", (6, 4)).save(tree / "train" / "cat" / "0001.png")
    with pytest.raises(DataError, match=r"train/cat/0001\.png has shape \(1, 4, 6\).*has \(1, 4, 5\)"):
        load(tree)


def test_more_than_eight_bits_are_refused(room: Path) -> None:
    tree = make_tree(room / "insects")
    Image.fromarray(np.full((4, 5), 40000, dtype=np.uint16)).save(tree / "train" / "ant" / "0000.png")
    with pytest.raises(DataError, match="more than 8 bits"):
        load(tree)


def test_classes_that_differ_between_splits_are_named(room: Path) -> None:
    tree = make_tree(room / "insects")
    (tree / "test" / "cat").rename(tree / "test" / "dog")
    with pytest.raises(DataError, match="differ: cat, dog"):
        load(tree)


def test_a_folder_without_data_says_what_is_expected(room: Path) -> None:
    with pytest.raises(DataError, match="neither IDX files nor images; expected train/CLASS"):
        load(room)


@pytest.mark.parametrize("ending", ["gz", "xz"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_archive_is_named(room: Path, ending: str, share: float) -> None:
    tree = make_tree(room / "insects")
    path = room / f"packed.tar.{ending}"
    with tarfile.open(path, "w:" + ending) as archive:
        archive.add(tree, "insects")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"packed\.tar\... was given .*truncated, corrupt or not a tar") as caught:
        load(path)
    assert "\n" not in str(caught.value)
