"""What a study is: data. Its cases are changes of presets, its numbers carry where they were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    or None for a claim in words. A fact that is only recalled (MEM) is never a target, so it can have no
    value: raises ConfigError.
    """

    tag: Tag
    text: str
    value: float | None = None

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

    label: how a row names a value, as "ratio {:g}". axis: the same in words, under a figure. setting: its whole path.
    values: by mode of the study, in order.
    """

    label: str
    axis: str
    setting: str
    values: Mapping[str, tuple[float, ...]]

    def spread(self, config: RunConfig, mode: str) -> RunConfig:
        """Return a run with the chips of `config` for each value of a mode; raise ConfigError for a list of chips."""
        if not isinstance(config.chips, int):
            raise ConfigError(
                f"chips = {list(config.chips)} was asked for, but every value of {self.setting} gets chips of its own; "
                "give their number for one value, as chips=3"
            )
        values = self.values[mode]
        many = [value for value in values for _ in range(config.chips)]
        return config.with_({"chips": len(many), self.setting: many})

    def groups(self, config: RunConfig) -> list[tuple[float, tuple[int, ...]]]:
        """Return every value with the positions of its chips; nothing where all chips share one value."""
        held: Any = config
        for name in self.setting.split("."):
            held = getattr(held, name, None)
        held = held.mean if isinstance(held, Spread) else held
        if not isinstance(held, tuple) or len(held) != config.n_chips:
            return []
        return [(v, tuple(k for k, other in enumerate(held) if other == v)) for v in dict.fromkeys(held)]


@dataclass(frozen=True)
class Case:
    """One rung of a study.

    changes: settings by name, as `RunConfig.with_` takes them, on top of the preset. about: what is new in
    it. references: what is known of its test accuracy, in percent. penalty: what is known of its distance
    from the baseline in points of test accuracy; a row of results is made of it. series: what differs between its
    chips; it then has a row for every value.
    """

    name: str
    about: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    penalty: tuple[Reference, ...] = ()
    series: Series | None = None


@dataclass(frozen=True)
class Study:
    """A paper's experiment: cases on one network, the first of which is the digital baseline.

    source: the citation. description: the question. modes: by name ("quick", "full") the settings of all its
    runs; `chips` is then the number for each value of a series. yardstick: the name of a row from which the distances
    of all rows are counted, too. weights: a layer whose weights the figure shows, before and after training.
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

    @property
    def baseline(self) -> Case:
        """The case that penalties are counted from."""
        return self.cases[0]

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
        if case.series is not None:
            number = [s for s in rest if s.partition("=")[0].strip() == "chips"]
            config = case.series.spread(override(config, number, ""), mode)
            rest = [s for s in rest if s not in number]
        return override(config, rest, "")

    def known(self, case: Case, config: RunConfig) -> tuple[tuple[Reference, ...], tuple[Reference, ...]]:
        """Return what is known of a case's accuracy and of its penalty: nothing on other data."""
        return (case.references, case.penalty) if config.data == self.data else ((), ())

    def choose(self, names: Sequence[str] | None) -> tuple[Case, ...]:
        """Return the cases with these names, or all; raise ConfigError for unknown names."""
        if names is None:
            return self.cases
        known = [case.name for case in self.cases]
        unknown = [f"{name!r} ({nearest(name, known)})" for name in names if name not in known]
        if unknown:
            raise ConfigError(f"study {self.name} has no case {'; '.join(unknown)}")
        return tuple(case for case in self.cases if case.name in names)
