"""Trees of image files, `train/CLASS/*.png` and `test/CLASS/*.jpg`, in a folder or in a tar archive."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from mho.data import store
from mho.data.dataset import Dataset
from mho.data.decoded import keep, recall
from mho.data.progress import bar
from mho.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".png", ".jpg", ".jpeg")
SPLITS = ("train", "test")
LAYOUT = "train/CLASS/NAME.png and test/CLASS/NAME.png (or .jpg), the same classes in both"
# Below this, decoding takes less than about half a second and a file in the cache is not worth it.
KEEP_FROM = 5000

Readers = dict[str, Callable[[], bytes]]


def load_image_tree(path: Path, *, cache: Path, show: bool) -> Dataset | None:
    """Return the data set in a folder or tar archive of images; None when it holds no image at all.

    Classes are sorted by name. Images are dealt out class by class (the first of each class, the second of
    each, ...), so that any leading part of a split is balanced. Grey images give one channel, all others
    three.
    """
    files = _folder_files(path) if path.is_dir() else {}
    key = _folder_key(files) if path.is_dir() else store.md5_file(path)
    name = path.resolve().name if path.is_dir() else path.name.split(".")[0]
    source = f"the images in {path}"
    kept = cache / "images" / f"{name}-{key[:16]}.npz"
    remembered = recall(kept, name=name, source=f"{source}, decoded earlier")
    if remembered is not None:
        return remembered
    readers: Readers = {image: file.read_bytes for image, file in files.items()}
    if not path.is_dir():
        readers = _archive_readers(path, show)
    if not readers:
        return None
    classes, names = _splits(readers, path)
    with bar(f"decoding {path.name}", total=sum(map(len, names.values())), show=show) as progress:
        arrays = {}
        for split in SPLITS:
            arrays[split] = _decode(names[split], readers, path, progress.advance)
    dataset = Dataset(
        name=name,
        classes=classes,
        train_images=arrays["train"],
        train_labels=_labels(names["train"], classes),
        test_images=arrays["test"],
        test_labels=_labels(names["test"], classes),
        source=source,
        checksums={path.name: key},
    )
    if len(names["train"]) + len(names["test"]) >= KEEP_FROM:
        keep(dataset, kept)
    return dataset


def _folder_files(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by path relative to it (or to its sub-folder with train and test)."""
    roots = [root for root in (folder, *sorted(folder.iterdir())) if all((root / split).is_dir() for split in SPLITS)]
    if not roots:
        return {}
    files = (path for split in SPLITS for path in (roots[0] / split).glob("*/*"))
    return {
        path.relative_to(roots[0]).as_posix(): path
        for path in files
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    }


def _folder_key(files: dict[str, Path]) -> str:
    """Return a key that changes when a file is added, removed or rewritten (by size and time of change)."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(files):
        stat = files[name].stat()
        digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _archive_readers(path: Path, show: bool) -> Readers:
    """Return a reader per image of a tar archive, by path from `train` or `test` on."""
    readers: Readers = {}
    try:
        with bar(f"unpacking {path.name}", total=None, show=show) as progress, tarfile.open(path) as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                image = member.isfile() and len(parts) >= 3 and parts[-3] in SPLITS and not parts[-1].startswith(".")
                if image and PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        readers["/".join(parts[-3:])] = io.BytesIO(stream.read()).getvalue
                progress.advance()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        reason = " ".join(str(error).split())  # tarfile gives one line per kind of archive it tried
        raise DataError(
            f"{path} was given as an archive of images, but reading it failed after {len(readers)} images "
            f"({reason}); it is truncated, corrupt or not a tar archive. Fetch it again (a good one holds "
            f"{LAYOUT})."
        ) from error
    return readers


def _splits(readers: Readers, path: Path) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """Return the classes and, per split, the image names dealt out class by class."""
    by_class: dict[str, dict[str, list[str]]] = {split: {} for split in SPLITS}
    for name in sorted(readers):
        split, label, _ = name.split("/")
        by_class[split].setdefault(label, []).append(name)
    train, test = (set(by_class[split]) for split in SPLITS)
    if train != test or not train:
        only = ", ".join(sorted(train ^ test)) or "no class at all"
        raise DataError(
            f"{path}: the classes of train ({len(train)}) and test ({len(test)}) differ: {only}. A test "
            f"image's class must be one that was trained. Arrange the images as {LAYOUT}."
        )
    names = {}
    for split in SPLITS:
        columns = [by_class[split][label] for label in sorted(train)]
        names[split] = [name for row in zip_longest(*columns) for name in row if name is not None]
    return tuple(sorted(train)), names


def _labels(names: list[str], classes: tuple[str, ...]) -> NDArray[np.int64]:
    number = {label: index for index, label in enumerate(classes)}
    return np.array([number[name.split("/")[1]] for name in names], dtype=np.int64)


def _decode(names: list[str], readers: Readers, path: Path, tick: Callable[[], None]) -> NDArray[np.uint8]:
    """Return the decoded images, shape (n, channels, height, width), in the shape of the first one."""
    first = _pixels(readers[names[0]](), f"{path}: {names[0]}")
    out = np.empty((len(names), *first.shape), dtype=np.uint8)
    for index, name in enumerate(names):
        pixels = _pixels(readers[name](), f"{path}: {name}")
        if pixels.shape != first.shape:
            raise DataError(
                f"{path}: {name} has shape {pixels.shape} (channels, height, width), but {names[0]} has "
                f"{first.shape}; a network needs one shape. Resize or convert the images."
            )
        out[index] = pixels
        tick()
    return out


def _pixels(raw: bytes, where: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(raw)) as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(f"{where} has more than 8 bits a pixel (mode {image.mode}); convert it to 8 bits.")
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        why = "no image" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(
            f"{where} was to be decoded as a PNG or JPEG image, found {len(raw)} bytes that cannot be "
            f"({why}). Replace or remove the file."
        ) from error
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
