"""The cache folder and the only way files get into it: under another name first, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from mho.errors import DataError

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def cache_folder(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Return mho's cache folder: MHO_CACHE, or what the platform uses for caches (not created)."""
    env = os.environ if environ is None else environ
    if env.get("MHO_CACHE"):
        return Path(env["MHO_CACHE"]).expanduser()
    if platform == "win32":
        local = env.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "mho" / "cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mho"
    xdg = env.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "mho"


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

    The temporary name is unique, so two processes may write the same file at once. A folder that cannot be
    written to is a warning (the data are in memory and usable); a full disk is a DataError. Either leaves no
    part behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as stream:
                write(stream)
            _replace(part, path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
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


def _replace(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except PermissionError:
        # Windows refuses while another process reads the target, which then holds the same verified bytes.
        if not path.exists():
            raise
