"""What became of a case: read from its run directory, so that a study can be killed and go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from mho.config import RunConfig, load
from mho.data import Dataset
from mho.errors import ConfigError
from mho.over_chips import deviation
from mho.studies.base import Case, Reference, Series
from mho.train.unattended import ended, epochs_of, run_to_the_end


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
        """Return an outcome for every row of the case's series, of that row's chips, or itself without one."""
        return tuple(part for _, part in self.points()) or (self,)

    def points(self) -> list[tuple[tuple[float, ...], Outcome]]:
        """Return the values of the case's series at every row, with the outcome of the row's chips."""
        groups, case = self.case.groups(self.config), self.case
        return [(point, self._part(point, case.label(self.config, point), chips)) for point, chips in groups.items()]

    def curve(self, axis: Series) -> list[tuple[float, Outcome]]:
        """Return the values of one series with their outcomes, the other series at their first values."""
        varied = self.case.varied(self.config)
        if axis not in varied:
            return []
        points, k = self.points(), varied.index(axis)
        first = points[0][0]
        return [(p[k], part) for p, part in points if p[:k] + p[k + 1 :] == first[:k] + first[k + 1 :]]

    def _part(self, point: tuple[float, ...], label: str, chips: tuple[int, ...]) -> Outcome:
        def chosen(values: Sequence[float]) -> list[float]:
            return [values[k] for k in chips]

        def own(known: Sequence[Reference]) -> tuple[Reference, ...]:
            return tuple(replace(r, at=None) for r in known if r.at is None or r.at in point)

        about = self.case.about if 0 in chips else "the same"
        case = replace(
            self.case, name=f"{self.case.name}, {label}", about=about, series=(),
            references=own(self.case.references), penalty=own(self.case.penalty),
        )  # fmt: skip
        lines = [{**line, "test_accuracy": chosen(line["test_accuracy"])} for line in self.lines]
        return replace(self, case=case, accuracy=chosen(self.accuracy), lines=lines, members=chips)

    @property
    def mean(self) -> float:
        """Mean test accuracy over chips in percent."""
        return fmean(self.accuracy)

    @property
    def std(self) -> float:
        """Standard deviation over chips; 0 for one chip."""
        return deviation(self.accuracy)

    @property
    def seconds(self) -> float:
        """What its epochs took."""
        return sum(line["seconds"] for line in self.lines)


def carry_out(case: Case, config: RunConfig, folder: Path, data: Dataset, progress: bool | str) -> Outcome:
    """Run a case in its directory: keep it when finished, go on when interrupted.

    Raises ConfigError when the directory holds a run with other settings.
    """
    found = read(case, config, folder)
    if found is None:
        run_to_the_end(config, folder, data, progress)
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
    end = ended(folder)
    if end is None or (saved.epochs < config.epochs and not end.why):
        return None
    return Outcome(case, config, end.accuracy, epochs_of(folder), end.why, folder)
