"""The examples in the documentation run, and the commands in it exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from repo.paths import ROOT, text

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md")),
]


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of one language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def options_by_command(page: str) -> dict[str, set[str]]:
    """Return the options that a page's shell blocks give to each command of mho."""
    found: dict[str, set[str]] = {}
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    for words in (shlex.split(part) for line in lines for part in line.split("&&")):
        if words and Path(words[0]).name == "mho":
            command = " ".join(w for w in words[1:3] if w in COMMANDS)
            options = {w.split("=")[0] for w in words if w.startswith("--")}
            found.setdefault(command, set()).update(options)
    return found


COMMANDS = (
    "train", "device", "list", "show", "fit", "check", "study", "run", "sweep", "ablate", "program", "report", "watch",
)  # fmt: skip
EXAMPLES = [(page, n) for page in PAGES for n, _ in enumerate(blocks(text(page), "python"))]
USES = sorted((page, command) for page in PAGES for command in options_by_command(text(page)))


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_python_examples_run(tmp_path: Path, page: str, number: int) -> None:
    script = tmp_path / "example.py"  # a file, because a law is read from its source
    script.write_text(blocks(text(page), "python")[number], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "command"), USES)
def test_commands_and_options_exist(page: str, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from mho.cli import main; main()", *command.split(), "--help"],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [o for o in options_by_command(text(page))[command] if o not in done.stdout] == []


PAGE = """
```python
x = 1
```

```bash
cd . && .venv/bin/mho study run NAME --quick
mho train --set=a=1 \\
    --out DIR
```
"""


def test_blocks_and_options_are_found() -> None:
    assert blocks(PAGE, "python") == ["x = 1\n"]
    assert options_by_command(PAGE) == {"study run": {"--quick"}, "train": {"--set", "--out"}}
