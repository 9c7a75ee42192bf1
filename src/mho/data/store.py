"""The cache folder and the only way files get into it: under another name first, then renamed."""

from __future__ import annotations

import errno
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mho.errors import DataError
from mho.folders import replacing

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def md5_bytes(data: bytes) -> str:
    """Return the md5 of `data` in hex: a check against damage, not against malice."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def md5_file(path: Path) -> str:
    """Return the md5 of a file in hex, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a new file beside `path`, then rename it to `path`: readers see the old file or the
    whole new.

    A folder that cannot be
    written to is a warning (the data are in memory and usable); a full disk is a DataError. Either leaves no
    part behind.
    """
    try:
        with replacing(path) as part, part.open("wb") as stream:
            write(stream)
    except OSError as error:
        if error.errno in FULL:
            raise DataError(
                f"keeping {path.name} in the cache folder {path.parent} failed: {error.strerror}. The disk "
                "is full or a quota is used up; nothing half-written is left. Free space, or set MHO_CACHE "
                "to a folder on another disk."
            ) from error
        warnings.warn(
            f"cannot keep {path.name} in the cache folder {path.parent} ({error.strerror or error}); it will "
            "be fetched "
            "again next time. Set MHO_CACHE to a folder that can be written to.",
            stacklevel=2,
        )


def keep_bytes(path: Path, raw: bytes) -> None:
    """Write `raw` to `path` as `write_atomic` does."""
    write_atomic(path, lambda stream: stream.write(raw))
