"""What became of a case: read from its run directory, so that a study can be killed and go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mho.config import RunConfig, load
from mho.data import Dataset
from mho.errors import CheckpointError, ConfigError, NotFiniteError
from mho.folders import write_text
from mho.studies.base import Case

DIVERGED = "diverged.json"


@dataclass(frozen=True)
class Outcome:
    """A case that came to an end.

    accuracy: test accuracy in percent, one per chip. lines: the epochs in metrics.jsonl. diverged: why it
    stopped early, or "". folder: its run directory. members: which chips of the run it is of; none for all.
    """

    case: Case
    config: RunConfig
    accuracy: Sequence[float]
    lines: Sequence[dict[str, Any]]
    diverged: str = ""
    folder: Path | None = None
    members: tuple[int, ...] = ()

    @property
    def chip_ids(self) -> tuple[int, ...]:
        """The numbers of its chips."""
        ids = self.config.chip_ids
        return tuple(ids[k] for k in self.members) if self.members else ids

    def parts(self) -> tuple[Outcome, ...]:
        """Return an outcome for every value of the case's series, of that value's chips, or itself without one."""
        series = self.case.series
        groups = series.groups(self.config) if series is not None else []
        if series is None or not groups:
            return (self,)
        return tuple(self._part(series.label.format(v), chips) for v, chips in groups)

    def _part(self, label: str, chips: tuple[int, ...]) -> Outcome:
        def chosen(values: Sequence[float]) -> list[float]:
            return [values[k] for k in chips]

        about = self.case.about if 0 in chips else "the same"
        case = replace(self.case, name=f"{self.case.name}, {label}", about=about, series=None)
        lines = [{**line, "test_accuracy": chosen(line["test_accuracy"])} for line in self.lines]
        return replace(self, case=case, accuracy=chosen(self.accuracy), lines=lines, members=chips)

    @property
    def mean(self) -> float:
        """Mean test accuracy over chips in percent."""
        return fmean(self.accuracy)

    @property
    def std(self) -> float:
        """Standard deviation over chips; 0 for one chip."""
        return stdev(self.accuracy) if len(self.accuracy) > 1 else 0.0

    @property
    def seconds(self) -> float:
        """What its epochs took."""
        return sum(line["seconds"] for line in self.lines)


def carry_out(case: Case, config: RunConfig, folder: Path, data: Dataset, progress: bool | str) -> Outcome:
    """Run a case in its directory: keep it when finished, go on when interrupted.

    Raises ConfigError when the directory holds a run with other settings.
    """
    found = read(case, config, folder)
    if found is not None:
        return found
    from mho.train import train

    begun = (folder / "config.toml").is_file()
    places: dict[str, Any] = {"resume": folder} if begun else {"out": folder}
    try:
        train(config, data=data, progress=progress, **places)
    except NotFiniteError as error:
        write_text(
            folder / DIVERGED,
            json.dumps({"why": str(error), "test_accuracy": _diverged(folder, config, data)}),
        )
    found = read(case, config, folder)
    assert found is not None
    return found


def read(case: Case, config: RunConfig, folder: Path) -> Outcome | None:
    """Return what the directory of a case holds, or None while its run is unfinished.

    Raises ConfigError when it holds another run, CheckpointError when a file of it is damaged.
    """
    path = folder / "config.toml"
    if not path.is_file():
        return None
    saved = load(path)
    if saved.with_(threads=config.threads, epochs=config.epochs) != config or saved.epochs > config.epochs:
        raise ConfigError(
            f"{folder} holds this case with other settings, and a study does not write over results; give "
            "another --out, or the mode, seed and settings that it was begun with"
        )
    lines = _lines(folder / "metrics.jsonl")
    if (folder / DIVERGED).is_file():
        end = _json(folder / DIVERGED)
        return Outcome(case, config, end["test_accuracy"], lines, end["why"], folder)
    if saved.epochs < config.epochs or not (folder / "summary.json").is_file():
        return None
    return Outcome(case, config, _json(folder / "summary.json")["test_accuracy"], lines, folder=folder)


def _diverged(folder: Path, config: RunConfig, data: Dataset) -> list[float]:
    """Return the accuracy of a run that diverged: of its last complete epoch, else of a network of NaNs.

    The largest of ten NaNs is the first, so that network answers class 0 for every image.
    """
    lines = _lines(folder / "metrics.jsonl")
    if lines:
        return list(lines[-1]["test_accuracy"])
    return [100.0 * float((data.test_labels == 0).mean())] * config.n_chips


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged ({error}); delete its folder to run this case again") from error
