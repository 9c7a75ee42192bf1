"""What a study is: data. Its cases are changes of presets, its numbers carry where they were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from mho.config import RunConfig, override
from mho.devices import Spread
from mho.errors import ConfigError, nearest

Tag = Literal["ABS", "TEXT", "NOTE", "KIT", "CODE", "DERIVED", "MEM"]
TAGS = {
    "ABS": "read in the abstract",
    "TEXT": "read in the full text of the paper named",
    "NOTE": "read in a third-party note made from the full text",
    "KIT": "read in the source or documentation of IBM aihwkit",
    "CODE": "read in the authors' code",
    "DERIVED": "computed from other facts",
    "MEM": "recalled, not verified",
}


@dataclass(frozen=True)
class Reference:
    """What a publication says about a case: a number where one was read, how it is known, and whose it is.

    tag: one of TAGS. text: whose number, under which conditions. value: in the unit of the row it belongs to,
    or None for a claim in words. at: the value of a series whose row it belongs to, None for all rows of its case. A
    fact that is only recalled (MEM) is never a target, so it can have no value: raises ConfigError.
    """

    tag: Tag
    text: str
    value: float | None = None
    at: float | None = None

    def __post_init__(self) -> None:
        if self.tag not in TAGS:
            raise ConfigError(f"there is no tag {self.tag!r} of provenance; {nearest(self.tag, TAGS)}")
        if not self.verified and self.value is not None:
            raise ConfigError(
                f"{self.text!r} is tagged MEM and has the value {self.value}, but a recalled fact is never a "
                "target; leave the number in its text, or read it in a source and tag it so"
            )

    @property
    def verified(self) -> bool:
        """Whether it was read in a source."""
        return self.tag != "MEM"

    def __str__(self) -> str:
        return f"[{self.tag}] {self.text}" if self.verified else f"not verified [MEM]: {self.text}"


@dataclass(frozen=True)
class Series:
    """A setting that differs between the chips of one run: each of its values has chips, and a row, of its own.

    label: how a row names a value, as "ratio {:g}". axis: the same in words, under a figure. setting: its whole path;
    also: paths of settings that take the same value. values: by mode of the study, in order; where a tolerance is asked
    for, the first is the harmless one.
    """

    label: str
    axis: str
    setting: str
    values: Mapping[str, tuple[float, ...]]
    also: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All settings that take its values."""
        return (self.setting, *self.also)

    def held(self, config: RunConfig) -> tuple[float, ...]:
        """Return the value of every chip of a run; nothing where all chips share one value."""
        found: Any = config
        for name in self.setting.split("."):
            found = getattr(found, name, None)
        found = found.mean if isinstance(found, Spread) else found
        return found if isinstance(found, tuple) and len(found) == config.n_chips else ()


@dataclass(frozen=True)
class Case:
    """One rung of a study.

    changes: settings by name, as `RunConfig.with_` takes them, on top of the preset. about: what is new in
    it. references: what is known of its test accuracy, in percent. penalty: what is known of its distance
    from the baseline in points of test accuracy; a row of results is made of it.
    series: what differs between its chips; it then has a row for every value. Several go through their values one after
    another, with the others at their first value; or, where `grid` is set, through all combinations.
    """

    name: str
    about: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    penalty: tuple[Reference, ...] = ()
    series: Series | tuple[Series, ...] = ()
    grid: bool = False

    @property
    def axes(self) -> tuple[Series, ...]:
        """Its series."""
        return self.series if isinstance(self.series, tuple) else (self.series,)

    def points(self, mode: str) -> list[tuple[float, ...]]:
        """Return the values of its series at every row of a mode."""
        values = [axis.values[mode] for axis in self.axes]
        if self.grid:
            return list(product(*values))
        first = tuple(v[0] for v in values)
        return [first, *((*first[:k], one, *first[k + 1 :]) for k, v in enumerate(values) for one in v[1:])]

    def spread(self, config: RunConfig, mode: str) -> RunConfig:
        """Return a run with the chips of `config` for each row of a mode; raise ConfigError for a list of chips."""
        if not isinstance(config.chips, int):
            raise ConfigError(
                f"chips = {list(config.chips)} was asked for, but every value of {self.axes[0].setting} gets chips of "
                "its own; give their number for one value, as chips=3"
            )
        many = [point for point in self.points(mode) for _ in range(config.chips)]
        lists = {path: [p[k] for p in many] for k, axis in enumerate(self.axes) for path in axis.paths}
        return config.with_({"chips": len(many), **lists})

    def varied(self, config: RunConfig) -> tuple[Series, ...]:
        """Return the series that the chips of a run go through: those whose setting was not given to all of them."""
        return tuple(axis for axis in self.axes if axis.held(config))

    def groups(self, config: RunConfig) -> dict[tuple[float, ...], tuple[int, ...]]:
        """Return the values of the varied series at every row of a run, with the positions of the row's chips."""
        chips = list(zip(*(axis.held(config) for axis in self.varied(config)), strict=True))
        return {point: tuple(k for k, other in enumerate(chips) if other == point) for point in dict.fromkeys(chips)}

    def label(self, config: RunConfig, point: tuple[float, ...]) -> str:
        """Return how a row is named: by all values of a grid, else by the one that is not the first."""
        axes, first = self.varied(config), next(iter(self.groups(config)))
        named = [(axis.label.format(v), v != f) for axis, v, f in zip(axes, point, first, strict=True)]
        every = self.grid or len(axes) == 1
        return ", ".join(name for name, moved in named if moved or every) or "as stated"


@dataclass(frozen=True)
class Study:
    """A paper's experiment: cases on one network, the first of which is the digital baseline.

    source: the citation. description: the question. modes: by name ("quick", "full") the settings of all its
    runs; `chips` is then the number for each value of a series. data: of all cases that do not change it; every data
    set has a digital baseline of its own, the first case on it. yardstick: the name of a row from which the distances
    of all rows are counted, too. weights: a layer whose weights the figure shows, before and after training.
    threshold: the points of test accuracy below the baseline at which a series has reached its tolerance, None to ask
    for none. endurance: the cases whose pulses per device are counted and drawn.
    """

    name: str
    source: str
    description: str
    network: str
    cases: tuple[Case, ...]
    modes: Mapping[str, Mapping[str, Any]]
    data: str = "mnist"
    yardstick: str = ""
    weights: str = ""
    threshold: float | None = None
    endurance: tuple[str, ...] = ()

    def data_of(self, case: Case) -> str:
        """Return the data set that a case is stated for."""
        return str(case.changes.get("data", self.data))

    @property
    def baseline(self) -> Case:
        """The case that penalties are counted from, of all cases on the study's own data."""
        return self.cases[0]

    def baseline_of(self, case: Case) -> Case:
        """Return the case that the penalties of a case are counted from: the first on the same data."""
        return next(other for other in self.cases if self.data_of(other) == self.data_of(case))

    def config(self, case: Case, mode: str, seed: int, settings: Sequence[str] = ()) -> RunConfig:
        """Return the run of a case; `settings` ("path=value") come last. Raises ConfigError.

        Chips differ in their devices, noise and initial weights: so the spread over chips means the same for
        the digital baseline, which has no devices that could vary.
        """
        if mode not in self.modes:
            raise ConfigError(f"study {self.name} has no mode {mode!r}; {nearest(mode, self.modes)}")
        start = RunConfig(preset=case.preset, network=self.network, data=self.data, seed=seed, vary=("init",))
        config = start.with_(self.modes[mode]).with_(case.changes)
        rest = list(settings)
        if case.axes:
            number = [s for s in rest if s.partition("=")[0].strip() == "chips"]
            config = case.spread(override(config, number, ""), mode)
            rest = [s for s in rest if s not in number]
        return override(config, rest, "")

    def known(self, case: Case, config: RunConfig) -> tuple[tuple[Reference, ...], tuple[Reference, ...]]:
        """Return what is known of a case's accuracy and of its penalty: nothing on other data, or of single rows."""
        if config.data != self.data_of(case):
            return (), ()
        return tuple(r for r in case.references if r.at is None), tuple(r for r in case.penalty if r.at is None)

    def choose(self, names: Sequence[str] | None) -> tuple[Case, ...]:
        """Return the cases with these names, or all; raise ConfigError for unknown names."""
        if names is None:
            return self.cases
        known = [case.name for case in self.cases]
        unknown = [f"{name!r} ({nearest(name, known)})" for name in names if name not in known]
        if unknown:
            raise ConfigError(f"study {self.name} has no case {'; '.join(unknown)}")
        return tuple(case for case in self.cases if case.name in names)
