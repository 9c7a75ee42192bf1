"""What a study made of steps of Python code is: a `Bench`, for experiments that are no ladder of `mho train` runs.

A new one is a module with a frozen dataclass of settings, functions of a `Context` that return rows, and a `BENCH`
that `studies/catalogue.py` lists:

    @dataclass(frozen=True)
    class Settings(BenchSettings):
        data: str = "mnist"
        chips: int = 10
        noises: tuple[float, ...] = (0.0, 0.1)

    def digital(context: Context) -> list[Row]:
        settings, data = context.settings, context.data(context.settings.data)
        ...                                      # may keep checkpoints in context.folder, models in context.models
        return [Row("digital", (accuracy,), about="the trained network, in floating point")]

    def noisy(context: Context) -> list[Row]:
        ...                                      # context.row("digital") is what the step before found
        return [Row(f"noise {n:g}", accuracies, baseline="digital", line="L2", axis="noise / largest weight", at=n) ...]

    BENCH = Bench(
        name="author-year", source="the citation", description="The question?", settings=Settings,
        steps=(Step("digital", "what it does", digital), Step("noise", "what it does", noisy, needs=("digital",))),
        modes={"quick": {"chips": 5}, "full": {"chips": 50}},
        known={"noise 0.1": (Reference("TEXT", "table 2: 97.1", 97.1),)},
    )

`mho study run NAME --quick|--full --case STEP --set noises=[0.1,0.2] --out DIR` keeps the rows of every finished step
in DIR/steps/STEP.json, and after each step writes results.json, study.json, table.md, figure.png and figure.svg.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mho.config import override
from mho.config.changes import changed
from mho.data import Dataset, load
from mho.errors import ConfigError, nearest
from mho.folders import write_text
from mho.over_chips import deviation
from mho.studies.base import Reference
from mho.studies.output import read_json, slug
from mho.studies.rows import ACCURACY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BenchSettings:
    """What all benches may be told; a bench's own settings derive from it.

    threads: of torch; None: as it is. A resumed study may change them.
    """

    threads: int | None = None


@dataclass(frozen=True)
class Row:
    """One number of a study.

    case: its name, which no other row has. values: one per chip, or a single one; raises ConfigError where one is not
    finite (a run that diverged reports its accuracy). about: what is new in it. baseline: the row from whose mean
    differences are counted. group: the table and the panel that it belongs to. line, axis, at: in a figure, the curve,
    the words under the axis, and where on it; without them it is a point of its own. shown: whether tables for people
    have it; results.json and figures have every row.
    """

    case: str
    values: tuple[float, ...]
    unit: str = ACCURACY
    about: str = ""
    baseline: str = ""
    group: str = ""
    line: str = ""
    axis: str = ""
    at: float | None = None
    shown: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(v) for v in self.values))
        if not self.values or not all(map(math.isfinite, self.values)):
            raise ConfigError(
                f"row {self.case!r} of a study was given the values {list(self.values)}, but a row is made of finite "
                "numbers, one per chip; report the accuracy that a diverged network has"
            )

    @property
    def mean(self) -> float:
        """Mean over chips."""
        return fmean(self.values)

    @property
    def std(self) -> float:
        """Standard deviation over chips; 0 for one."""
        return deviation(self.values)


@dataclass
class Context:
    """What a step is given.

    settings: of the bench. seed: the only source of randomness. folder: the step's own, where what it needs to go on
    after a kill may be kept (other settings never see it). models: trained weights that later steps load. progress: as
    for `mho.train`. found: the rows of the steps that it needs, by name. seconds_before: to be raised by a step that
    goes on with work of an earlier, killed call, by what that took.
    """

    settings: Any
    seed: int
    folder: Path
    models: Path
    progress: bool | str = True
    found: Mapping[str, Row] = field(default_factory=dict)
    loaded: dict[str, Dataset] = field(default_factory=dict)
    seconds_before: float = 0.0

    def row(self, case: str) -> Row:
        """Return a row of a step that this one needs; raises ConfigError where there is none."""
        if case not in self.found:
            raise ConfigError(f"no step that is needed here made a row {case!r}; {nearest(case, self.found)}")
        return self.found[case]

    def data(self, name: str) -> Dataset:
        """Return a data set, loaded once for all steps; raises DataError."""
        if name not in self.loaded:
            self.loaded[name] = load(name, progress=bool(self.progress))
        return self.loaded[name]

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` returns (what JSON can hold), from a file of the step's folder if it was made before.

        So a step that is killed does not do its parts again. Raises CheckpointError for a damaged file.
        """
        path = self.folder / f"{slug(name)}.json"
        if not path.is_file():
            write_text(path, json.dumps(make(), allow_nan=False) + "\n")
        return read_json(path)

    def say(self, text: str) -> None:
        """Print a line about what goes on, unless nothing is to be shown."""
        if self.progress:
            print(text, flush=True)


@dataclass(frozen=True)
class Step:
    """A part of a bench whose rows are kept: `run` returns them; needs: names of the steps that must be done before."""

    name: str
    about: str
    run: Callable[[Context], Sequence[Row]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bench:
    """An experiment made of steps; `settings` is the dataclass of its settings, `modes` what quick and full change.

    known: by row, what is known of its value; penalty: of its distance from its baseline (a row of results is made of
    it). setup: what all steps share, in sentences. tables: further tables in Markdown, below that of the rows. draw:
    the figure, where the rows' lines and points do not say it; caption: what the figure shows.
    """

    name: str
    source: str
    description: str
    settings: type[BenchSettings]
    steps: tuple[Step, ...]
    modes: Mapping[str, Mapping[str, Any]]
    known: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    penalty: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    setup: Callable[[Any], Sequence[str]] = lambda settings: ()
    tables: Callable[[Sequence[Row]], str] | None = None
    draw: Callable[[Figure, Sequence[Row]], None] | None = None
    caption: str = "Mean and standard deviation over chips"

    def configure(self, mode: str, settings: Sequence[str] = ()) -> BenchSettings:
        """Return the settings of a mode; `settings` ("name=value") come last. Raises ConfigError."""
        if mode not in self.modes:
            raise ConfigError(f"study {self.name} has no mode {mode!r}; {nearest(mode, self.modes)}")
        start: Any = changed(self.settings(), self.modes[mode])
        found: BenchSettings = override(start, settings)
        return found

    def choose(self, names: Sequence[str] | None) -> tuple[Step, ...]:
        """Return the steps with these names and those that they need, or all; raise ConfigError for unknown names."""
        known = {step.name: step for step in self.steps}
        unknown = [f"{name!r} ({nearest(name, known)})" for name in names or () if name not in known]
        if unknown:
            raise ConfigError(f"study {self.name} has no step {'; '.join(unknown)}")
        wanted, left = set(), list(known if names is None else names)
        while left:
            name = left.pop()
            if name not in wanted:
                wanted.add(name)
                left += known[name].needs
        return tuple(step for step in self.steps if step.name in wanted)
