"""The fields that a sweep goes through: their whole paths, what they take, and which may differ between chips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from mho.config import RunConfig, load
from mho.config.fields import Wrong, alternatives, convert, is_per_chip, settings_type, wrong
from mho.config.laws import family_of
from mho.config.names import Names, Parts, split
from mho.config.problems import quoted
from mho.config.values import Reader
from mho.devices import Spread
from mho.errors import ConfigError
from mho.sweep.axes import Axis
from mho.sweep.settings import Grid, Sweep

LAYERS = ("analog", "layers")


@dataclass(frozen=True)
class Field:
    """A setting by its whole path, and the type that it declares."""

    parts: Parts
    hint: Any

    @property
    def path(self) -> str:
        """The dotted path, as `--set` takes it and as its column in the table is called."""
        return ".".join(quoted(part) for part in self.parts)

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers only, so that a range is rounded."""
        members = alternatives(self.hint)
        return int in members and float not in members

    def check(self, value: Any) -> None:
        """Raise ConfigError for a value that the field cannot take at all, whatever the others are."""
        kind, text = settings_type(self.hint), ""
        if kind is not None and family_of(kind) is not None:
            reader = Reader()
            reader.read(self.hint, value, self.path)
            reader.problems.check()
        elif kind is None or (kind is Spread and not isinstance(value, dict)):
            hint = float if kind is Spread else self.hint
            try:
                convert(hint, value)
            except Wrong:
                text = wrong(hint, value)
        if text:
            raise ConfigError(f"{self.path}: {text}")

    def may_differ(self, value: Any) -> bool:
        """Return whether chips of one run may differ in the field, where one of them has this value."""
        if settings_type(self.hint) is Spread:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_per_chip(self.hint):
            return False
        lists = [m for m in alternatives(self.hint) if _is_list_of(m, self.hint)]
        try:
            return not any(_converts(m, value) for m in lists) and _converts(self.hint, value)
        except Wrong:
            return False

    def of(self, config: RunConfig) -> Any:
        """Return the value in a configuration as a field that may differ holds it; None where there is none."""
        if self.parts[:2] == LAYERS:
            return None
        held: Any = config
        for part in self.parts:
            held = getattr(held, part, None)
        held = held.mean if isinstance(held, Spread) else held
        return held if held is not None and self.may_differ(held) else None


def _is_list_of(member: Any, hint: Any) -> bool:
    return get_origin(member) is tuple and set(alternatives(get_args(member)[0])) <= set(alternatives(hint))


def _converts(hint: Any, value: Any) -> bool:
    try:
        convert(hint, value)
    except Wrong:
        return False
    return True


def base(sweep: Sweep) -> RunConfig:
    """Return the configuration of a sweep without any swept field; raise ConfigError."""
    start = load(sweep.config) if sweep.config else RunConfig(preset=sweep.preset)
    found = start.with_(sweep.settings) if sweep.settings else start
    if "vary" not in sweep.settings and not found.vary and sweep.seeds * sweep.count != 1:
        found = replace(found, vary=("init",))
    try:
        return replace(found, chips=1)
    except ConfigError as error:
        raise ConfigError(
            f"the chips of a sweep are its points, so settings that are lists over chips have no place in it; make "
            f"them an axis ({error})"
        ) from error


def fields_of(sweep: Sweep, start: RunConfig) -> list[list[tuple[Axis, tuple[Field, ...]]]]:
    """Return the axes of every grid with the fields that they go through.

    Raises ConfigError for names that no setting has, for values that a field cannot take at all, and for fields named
    twice.
    """
    found = []
    for grid in sweep.grids:
        try:
            found.append(_checked(grid, start))
        except ConfigError as error:
            raise ConfigError(f"grid {grid.name!r}: {error}") from error
    return found


def _checked(grid: Grid, start: RunConfig) -> list[tuple[Axis, tuple[Field, ...]]]:
    """Return the axes of a grid with the fields that they go through."""
    axes = list(_resolved(grid, start))
    paths = [field.path for _, fields in axes for field in fields]
    if twice := sorted({path for path in paths if paths.count(path) > 1}):
        raise ConfigError(f"there are two axes for {', '.join(twice)}; keep one")
    for axis, fields in axes:
        for value in axis.listed or [(axis.start,)]:
            for field, one in zip(fields, value, strict=True):
                field.check(round(one) if axis.listed is None and field.whole else one)
    return axes


def _resolved(grid: Grid, start: RunConfig) -> Iterator[tuple[Axis, tuple[Field, ...]]]:
    names = [Names(start)]
    for axis in grid.axes:  # a field may belong to a device or rule that is itself an axis
        for k, name in enumerate(axis.fields):
            parts, _ = names[0].resolve(name)
            if parts and names[0].family(parts) is not None and axis.listed is not None:
                names += _with_each(start, name, (value[k] for value in axis.listed))
    for axis in grid.axes:
        yield axis, tuple(_field(name, names) for name in axis.fields)


def _with_each(start: RunConfig, name: str, values: Iterable[Any]) -> Iterator[Names]:
    for value in values:
        try:
            yield Names(start.with_({name: value}))
        except ConfigError:
            continue  # a point that is impossible, which is told of that point


def _field(name: str, names: list[Names]) -> Field:
    problems = []
    for known in names:
        parts, problem = known.resolve(name)
        if problem:
            problems.append(problem)
            continue
        if parts == ("chips",) or parts == ("preset",):
            why = "its seeds and points are the chips" if parts == ("chips",) else "a preset is the start of all points"
            raise ConfigError(f"{name} cannot be an axis of a sweep: {why}; make a sweep for each, or sweep settings")
        if parts in known.hints:
            return Field(parts, known.hints[parts])
        if parts[:2] == LAYERS and len(parts) > 3:
            inner = _field(".".join(quoted(p) for p in parts[3:]), names)
            return Field((*parts[:3], *inner.parts[1:]), inner.hint)
        problems.append("names a layer without a setting of it")
    raise ConfigError(f"{'.'.join(quoted(p) for p in split(name))}: {problems[0]}")
