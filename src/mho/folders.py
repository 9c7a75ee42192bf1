"""Where mho keeps files between runs, and how it writes them so that nobody ever sees half a file."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mho.errors import ConfigError


def cache_root(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Return mho's cache folder: `MHO_CACHE`, or what the platform uses for caches (not created)."""
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


def cache_folder(*parts: str) -> Path:
    """Return a folder of mho's cache, made if it is not there."""
    folder = cache_root().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Raise ConfigError unless files could be written in a folder, or in the nearest one above it that is there.

    For outputs, before the work that makes them; nothing is left behind.
    """
    path = Path(folder).absolute()
    there = next(p for p in (path, *path.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return
    except OSError as error:
        reason = "a file is in the way" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        raise ConfigError(f"nothing can be written to {folder}: {reason}; give another directory with --out") from error


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new path in the folder of `path`; rename it to `path` on success, remove it on failure.

    The name is unique, so two processes may write the same file at once: readers see the old file or one whole new one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield part
        _rename(part, path)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # a write to a full disk does not say to which file
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _rename(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except PermissionError:
        # Windows refuses while another process reads the target; a file whose name fixes its content is then whole.
        if sys.platform != "win32" or not path.exists():
            raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
