"""Trying sources one after another, remembering why each failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, NamedTuple, NoReturn, TypeVar

from mho.errors import DataError

T = TypeVar("T")


class SourceFailed(Exception):
    """A source does not have the data; its text is the reason, and the next source is tried."""


class Source(NamedTuple, Generic[T]):
    """A place to get data from; `get` returns the data or raises SourceFailed."""

    label: str
    get: Callable[[], T]
    remote: bool = False


def first_that_works(title: str, sources: Iterable[Source[T]], *, advice: str) -> tuple[Source[T], T]:
    """Return (source, data) of the first source that has the data.

    Raises
    ------
    DataError : no source has it; lists every source with its reason, then `advice`. A DataError of a source
        itself
        (a damaged file of the user's own) passes through at once.
    """
    reasons: list[str] = []
    for source in sources:
        try:
            return source, source.get()
        except SourceFailed as failure:
            reasons.append(f"({len(reasons) + 1}) {source.label}: {failure}")
    raise DataError(f"{title} was asked for, but no source has it. Tried {'; '.join(reasons)}. {advice}")


def user_folders(data_dir: str | os.PathLike[str] | None) -> list[tuple[str, Path]]:
    """Return (label, folder) of the folders the user named: `data_dir` first, then MHO_DATA.

    Raises
    ------
    DataError : `data_dir` is not a folder. (A stale MHO_DATA is only a reason: the cache may have the data.)
    """
    folders = []
    if data_dir is not None:
        folder = Path(data_dir).expanduser()
        if not folder.is_dir():
            raise DataError(
                f"data_dir {folder} was given as the folder with the data, but there is no such folder. Give "
                "the folder that holds the data files, or leave data_dir out."
            )
        folders.append((f"data_dir {folder}", folder))
    if os.environ.get("MHO_DATA"):
        folder = Path(os.environ["MHO_DATA"]).expanduser()
        folders.append((f"MHO_DATA {folder}", folder))
    return folders


def unset_mho_data() -> NoReturn:
    """Stand in for the MHO_DATA source when that variable is not set."""
    raise SourceFailed("not set")
