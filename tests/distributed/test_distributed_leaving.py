"""A finished training ends with 0: no thread of torch's transfers is left that the end of the program could abort."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed import leaving
from distributed.launching import torchrun


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="names of threads are read from Linux's /proc")
@pytest.mark.parametrize("kind", ["train", "loop", "wrapped"])
def test_no_thread_of_a_group_is_left_at_the_end(kind: str, tmp_path: Path) -> None:
    done = torchrun(2, Path(leaving.__file__), tmp_path, kind)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["", ""]
