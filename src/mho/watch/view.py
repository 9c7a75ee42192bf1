"""What the page shows of a directory at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError
from mho.report.figure import Figure
from mho.sweep.files import PLAN, SWEEP
from mho.train.metrics import METRICS

WAITING, RUNNING, FINISHED, DIVERGED = "waiting", "running", "finished", "diverged"


@dataclass(frozen=True)
class View:
    """A run or a sweep as its files are now.

    state: one of the four words of this module. done, total: counted in `unit`. left: seconds to the end, every:
    seconds between two changes, None while they are not known. facts: names and values of the main numbers. notes:
    sentences that stand above the figures. again: the command that goes on with what has stopped. warning: what must be
    known before anything is believed, or "".
    """

    title: str
    state: str
    done: int = 0
    total: int = 0
    unit: str = "epochs"
    left: float | None = None
    every: float | None = None
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    again: str = ""
    warning: str = ""

    def json(self) -> dict[str, Any]:
        """Return the view as the page's script takes it."""
        figures = [{"name": f.name, "title": f.title, "caption": f.caption, **f.json()} for f in self.figures]
        return {**{name: value for name, value in vars(self).items() if name != "figures"}, "figures": figures}


def look(folder: Path) -> View:
    """Return what the files of a run or a sweep say now; one that has not begun is waited for.

    Raises CheckpointError or ConfigError naming a damaged file, or for a directory that holds neither.
    """
    from mho.watch.run import run_view
    from mho.watch.sweep import sweep_view

    kind = kind_of(folder)
    if kind == "":
        return View(folder.name, WAITING, notes=(f"Nothing is in {folder} yet. This page shows it as it comes.",))
    return sweep_view(folder) if kind == "sweep" else run_view(folder)


def kind_of(folder: Path) -> str:
    """Return "run" or "sweep", "" where nothing is yet; raise CheckpointError for a directory of anything else."""
    if (folder / PLAN).is_file() or (folder / SWEEP).is_file():
        return "sweep"
    if (folder / METRICS).is_file():
        return "run"
    if inner := sorted(p.parent for p in folder.glob("runs/*/config.toml")):
        raise CheckpointError(
            f"{folder} holds {len(inner)} run(s) in {folder / 'runs'}, and a page shows one; give one of them, such as "
            f"mho watch {inner[0]}"
        )
    if (folder / "config.toml").is_file():
        return "run"
    if folder.is_file():
        raise CheckpointError(f"{folder} is a file; give the directory of mho train --out DIR or mho sweep --out DIR")
    if folder.is_dir() and any(not p.name.startswith(".") for p in folder.iterdir()):
        raise CheckpointError(
            f"{folder} holds neither a run (config.toml) nor a sweep (plan.json); give the directory of "
            "mho train --out DIR or mho sweep --out DIR"
        )
    return ""
