"""The settings of one analog layer, or of all layers with differences by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any, ClassVar, Self, TypeVar, cast

from mho.config.changes import Leaves, apply, canonical, changed
from mho.config.fields import hints, is_per_chip, settings_type
from mho.config.problems import Problems, SettingsError, join, quoted
from mho.config.show import show
from mho.config.values import MISSING, Reader
from mho.devices import ConstantStep, Device
from mho.errors import ConfigError
from mho.mapping.settings import Mapping as Layout
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings, Cell
from mho.update.pulsed import Pulsed
from mho.update.rule import Rule
from mho.update.settings import Update

K = TypeVar("K")
SECTIONS = ("device", "cell", "rule", "forward", "backward", "update", "mapping")


@dataclass(frozen=True, repr=False)
class AnalogConfig:
    """What makes a layer analog: device, cell, rule, periphery of both products, update, mapping; exceptions by layer.

    cell: how devices make a weight. rule: by which rule samples move weights.
    backward: where it is not given, as `forward` without bound management (IBM's kit ignores it there, too).
    layers: {pattern: changes} for layers whose dotted name in the network matches the pattern ("conv2",
        "encoder.*"), in order: a later pattern wins. Kept as (pattern, changes in canonical form).
    Raises ConfigError, with everything that is wrong.
    """

    device: Device = field(default_factory=ConstantStep)
    cell: Cell = field(default_factory=Cell)
    rule: Rule = field(default_factory=Pulsed)
    forward: Periphery = field(default_factory=Periphery)
    backward: Periphery = field(default=cast(Periphery, None))  # set below, so that readers need no None
    update: Update = field(default_factory=Update)
    mapping: Layout = field(default_factory=Layout)
    layers: tuple[tuple[str, Leaves], ...] = ()

    def __post_init__(self) -> None:
        given: Any = self.backward
        if given is None:
            object.__setattr__(self, "backward", replace(self.forward, bound_management="none"))
        problems = Problems()
        for name in SECTIONS:
            kind, found = hints(AnalogConfig)[name], getattr(self, name)
            if not isinstance(found, kind):
                problems.add(name, f"must be a {kind.__name__}, found {found!r}; give {kind.__name__}(...)")
        problems.check()
        for name, text in self.cell.problems(self.device):
            problems.add(f"cell.{name}", text)
        for name, text in self.rule.problems(self.device, self.cell, self.update):
            problems.add(name if name.partition(".")[0] in SECTIONS else join("rule", name), text)
        problems.check()
        object.__setattr__(self, "layers", self._canonical_layers())

    def _canonical_layers(self) -> tuple[tuple[str, Leaves], ...]:
        if not self.layers:  # also ends the recursion: the plain copy below has none
            return ()
        given = self.layers.items() if isinstance(self.layers, Mapping) else self.layers
        plain, problems, found = replace(self, layers=()), Problems(), {}
        for item in given:
            if not (isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], str)):
                problems.add("layers", f"expected {{pattern: changes}}, found {item!r}")
                continue
            pattern, changes = item
            path = join("layers", quoted(pattern))
            try:
                changes = dict(changes)
            except (TypeError, ValueError):
                problems.add(path, f"expected a table of changes, found {changes!r}")
                continue
            try:
                found[pattern] = canonical(plain, changes)
            except ConfigError as error:
                problems.take(path, error)
        problems.check()
        return tuple(found.items())

    def for_layer(self, name: str) -> AnalogConfig:
        """Return the settings of the layer with this dotted name: matching changes applied."""
        config = replace(self, layers=()) if self.layers else self
        for pattern, changes in self.layers:
            if fnmatch.fnmatchcase(name, pattern):
                config = apply(config, changes)
        return config

    def with_(self, changes: Mapping[str, Any] | None = None, /, **named: Any) -> Self:
        """Return a changed copy.

        A name is a path (`"device.dw_min"`, or `device__dw_min` as a keyword) or the end of one path only
        (`bl=1`). A value is an object (`device=Relaxor()`) or a table of changes (`update={"bl": 1}`).
        A number or a list over chips for a Spread changes its mean and keeps its spread, which
        `"device.dw_min.d2d"` changes.
        Raises ConfigError with all unknown or ambiguous names and impossible values.
        """
        return changed(self, {**(changes or {}), **named})

    def devices(self) -> Iterator[tuple[str, Device]]:
        """Yield the path and device of every array of a layer, the main one first; exceptions by layer are left out."""
        for name in ("device", "cell", "rule"):
            yield from _found(getattr(self, name), name, Device)

    def arrays(self) -> Iterator[tuple[str, Cell]]:
        """Yield the path and cell of every array of a layer, the main one first, then those of exceptions by layer."""
        yield "cell", self.cell
        for path, settings in _found(self.rule, "rule", ArraySettings):
            yield f"{path}.cell", settings.cell
        for pattern, changes in self.layers:
            layer = apply(replace(self, layers=()), changes)
            yield from ((join(join("layers", quoted(pattern)), path), cell) for path, cell in layer.arrays())

    def check_chips(self, chips: int) -> None:
        """Raise ConfigError naming every list over chips that has neither 1 entry nor one per chip."""
        wrong = {path: length for path, length in self._lists() if length not in (1, chips)}
        for pattern, changes in self.layers:
            layer = apply(replace(self, layers=()), changes)
            there = {p: n for p, n in layer._lists() if n not in (1, chips) and p not in wrong}
            wrong |= {join(join("layers", quoted(pattern)), path): length for path, length in there.items()}
        if wrong:
            raise SettingsError([(p, bad_length(n, chips)) for p, n in wrong.items()])

    def _lists(self) -> Iterator[tuple[str, int]]:
        for name in SECTIONS:
            yield from lists_over_chips(getattr(self, name), name)

    def __repr__(self) -> str:
        return show(self)

    readers: ClassVar[dict[str, Any]]


def lists_over_chips(value: Any, path: str) -> Iterator[tuple[str, int]]:
    """Yield the path and length of every list over chips below an object with settings, and of every list of tables."""
    tables = value._tables() if isinstance(value, Device) else ()
    for name, hint in hints(type(value)).items():
        held = getattr(value, name)
        if settings_type(hint) is not None and held is not None:
            yield from lists_over_chips(held, join(path, name))
        elif name in tables:
            if isinstance(held[0], tuple):
                yield join(path, name), len(held)
        elif isinstance(held, tuple) and is_per_chip(hint):
            yield join(path, name), len(held)


def _found(value: Any, path: str, kind: type[K]) -> Iterator[tuple[str, K]]:
    """Yield the path of every object of a kind in settings."""
    if isinstance(value, kind):
        yield path, value
    elif is_dataclass(value):
        for name in hints(type(value)):
            yield from _found(getattr(value, name), join(path, name), kind)


def bad_length(length: int, chips: int) -> str:
    """Return what is wrong with a list over chips of another length."""
    return f"lists {length} values for chips, but chips is {chips}; give one number or set chips to {length}"


def _read_layers(reader: Reader, value: Any, path: str, base: Any) -> Any:
    """Merge a table of patterns into the layers of the base; anything else replaces them."""
    if not isinstance(value, Mapping):
        return value
    merged: dict[str, Any] = {} if base is MISSING else {pattern: dict(leaves) for pattern, leaves in base}
    for pattern, changes in value.items():
        if not isinstance(changes, Mapping):
            where = join(path, quoted(pattern))
            reader.problems.add(where, f"expected a table of changes, found {changes!r}")
        else:
            merged[pattern] = {**merged.get(pattern, {}), **changes}
    return tuple(merged.items())


AnalogConfig.readers = {"layers": _read_layers}
