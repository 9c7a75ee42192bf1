"""What every study writes into its directory, whatever it is made of; and what it says while it works."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError, ConfigError
from mho.folders import write_text


def slug(name: str) -> str:
    """Return the name of a case or step as the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def refuse_another_study(name: str, folder: Path) -> None:
    """Raise ConfigError where a directory holds another study's results, CheckpointError where these are damaged."""
    path = folder / "study.json"
    if not path.is_file():
        return
    try:
        held = read_json(path)["study"]
    except (KeyError, TypeError) as error:
        raise damaged(path, error) from error
    if held != name:
        raise ConfigError(
            f"study {name} was to be written to {folder}, which holds results of study {held}, and a study does not "
            "write over results; give another --out"
        )


def read_json(path: Path) -> Any:
    """Return what a file of a study's directory holds; raises CheckpointError where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> CheckpointError:
    """Return an error that tells of a damaged file."""
    return CheckpointError(f"{path} is damaged ({error}); delete it to do what it tells of again")


def write_results(folder: Path, rows: Sequence[dict[str, Any]], about: dict[str, Any], tables: str) -> None:
    """Write results.json, study.json (`about`) and table.md: the tables in Markdown with the set-up below."""
    write_text(folder / "results.json", json.dumps(rows, indent=1, allow_nan=False) + "\n")
    write_text(folder / "study.json", json.dumps(about, indent=1, allow_nan=False) + "\n")
    lines = "".join(f"- {line}\n" for line in about["setup"])
    write_text(folder / "table.md", f"# {about['study']}: {about['source']}\n\n{tables}\n{lines}")


def show_results(folder: Path) -> None:
    """Print the tables of a directory, and where the figure is."""
    print(f"\n{(folder / 'table.md').read_text(encoding='utf-8')}\n{folder / 'figure.png'}", flush=True)


def command(asked: dict[str, Any]) -> str:
    """Return the command line that asks for the same, less its --out."""
    words = ["mho", "study", "run", asked["study"], f"--{asked['mode']}"]
    words += [] if asked["seed"] == 0 else ["--seed", str(asked["seed"])]
    words += [word for setting in asked["settings"] for word in ("--set", setting)]
    words += [word for case in asked["cases"] or () for word in ("--case", case)]
    return shlex.join(words)


class Clock:
    """Says which case or step runs, how the last one ended, and how long the rest will take at the pace so far."""

    def __init__(self, parts: int, *, kind: str, kept: Sequence[str], shown: bool) -> None:
        self.parts, self.kind, self.done, self.shown = parts, kind, 0, shown
        self.start = time.perf_counter()
        if kept:
            self._say(f"kept from before: {', '.join(kept)}")

    def begin(self, name: str, about: str) -> None:
        """Say which one starts."""
        self._say(f"{self.kind} {self.done + 1} of {self.parts}: {name}: {about}")

    def end(self, how: str) -> None:
        """Say how one ended, and what is left."""
        self.done += 1
        left = (time.perf_counter() - self.start) / self.done * (self.parts - self.done)
        self._say(f"{how}\nabout {_minutes(left)} left" if self.done < self.parts else how)

    def _say(self, text: str) -> None:
        if self.shown:
            print(text, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
