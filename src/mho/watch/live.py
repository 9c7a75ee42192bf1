"""The view of a directory as it changes: made again when its files have, and not more often than it takes."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from mho.errors import MhoError
from mho.sweep.files import PACKS, PLAN, SEARCH, SWEEP
from mho.sweep.table import TABLE
from mho.train.metrics import METRICS
from mho.train.unattended import DIVERGED
from mho.watch.view import WAITING, View, look

FILES = ("config.toml", METRICS, DIVERGED, SWEEP, PLAN, TABLE, SEARCH)
PAUSE = 0.5
"""Seconds between two looks at the files."""
SHARE = 0.1
"""At most this share of the time is spent on making views, so that what is watched keeps its cores..."""
LONGEST = 10.0
"""... but two looks are at most so many seconds apart."""


class Live:
    """The newest view of a directory as JSON, for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.version, self.text = folder, "", b""
        self._lock = threading.Lock()
        self._stamp, self._changed, self._next = "", 0.0, 0.0
        self._view = View(folder.name, WAITING)

    def newer(self, version: str) -> bytes | None:
        """Return the newest view, or None if it is the one that has this version."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._look()
            return None if version == self.version else self.text

    def _look(self) -> None:
        begin = time.thread_time()
        found = stamp(self.folder)
        if found != self._stamp:
            self._changed = newest(self.folder) if self._stamp == "" else time.time()
            self._view = self._read()
            self._stamp = self.version = found
            made = {**self._view.json(), "version": found, "age": max(0.0, time.time() - self._changed)}
            self.text = json.dumps(made, allow_nan=False).encode()
        took = time.thread_time() - begin
        self._next = time.monotonic() + max(PAUSE, min(took / SHARE, LONGEST))

    def _read(self) -> View:
        """Return the view now; a file that cannot be read is told above what was there before."""
        try:
            return look(self.folder)
        except (MhoError, OSError) as error:
            return replace(self._view, notes=(str(error),))


def stamp(folder: Path) -> str:
    """Return a digest of names, sizes and times of the files that a view is made from."""
    return hashlib.sha256(repr(sorted(_files(folder))).encode()).hexdigest()[:16]


def newest(folder: Path) -> float:
    """Return when a file that a view is made from was last written (s since 1970), now where there is none."""
    return max((changed / 1e9 for _, _, changed in _files(folder)), default=time.time())


def _files(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    for name in FILES:
        try:
            about = (folder / name).stat()
        except OSError:
            continue
        found.append((name, about.st_size, about.st_mtime_ns))
    try:
        with os.scandir(folder / PACKS) as entries:
            for entry in entries:
                if entry.name.endswith(".parquet") and not entry.name.startswith("."):
                    about = entry.stat()
                    found.append((entry.name, about.st_size, about.st_mtime_ns))
    except OSError:
        pass
    return found
