"""The cache: where it is, and that a file in it is whole whatever happens."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from mho.data.store import keep_bytes, write_atomic
from mho.errors import DataError
from mho.folders import cache_root

WRITER = """
import sys
from pathlib import Path
from mho.data.store import keep_bytes
for _ in range(100):
    keep_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 300_000)
"""
LIMITED = """
import resource, sys
from pathlib import Path
from mho.data.store import keep_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
keep_bytes(Path(sys.argv[1]), b"x" * 5000)
"""


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"MHO_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "linux", "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "linux", "/x/mho"),
        ({}, "linux", "HOME/.cache/mho"),
        ({}, "darwin", "HOME/Library/Caches/mho"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/mho/cache"),
        ({}, "win32", "HOME/AppData/Local/mho/cache"),
    ],
)
def test_the_cache_folder_is_the_platforms(environ: dict[str, str], platform: str, expected: str) -> None:
    assert cache_root(environ, platform) == Path(expected.replace("HOME", str(Path.home())))


def test_a_failing_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match=r"disk is full .* set MHO_CACHE"):
        write_atomic(path, full)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    def interrupted(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "f", interrupted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file size to stand in for a full disk")
def test_a_disk_that_fills_up_leaves_no_part(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "f")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "DataError" in done.stderr
    assert "nothing half-written is left" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the cache folder should be")
    with pytest.warns(UserWarning, match="cannot keep f in the cache folder"):
        keep_bytes(tmp_path / "taken" / "f", b"x")


def test_two_processes_writing_at_once_leave_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "f"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter]) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            raw = path.read_bytes()
            assert len(raw) == 300_000
            assert len(set(raw)) == 1

    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_bytes()[:1] in (b"a", b"b")
    assert list(tmp_path.iterdir()) == [path]
