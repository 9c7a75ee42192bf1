"""Packs: points that differ only in what may differ between chips share one run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mho.config import RunConfig
from mho.errors import ConfigError
from mho.sweep.fields import Field

Values = Mapping[str, Any]
"""The values of one point by path."""
CHECKED = 1024
"""So many chips are checked as one configuration: the cost of checking hardly depends on their number."""


@dataclass(frozen=True)
class Pack:
    """Points whose chips share one run."""

    number: int
    points: tuple[int, ...]

    @property
    def of_baselines(self) -> bool:
        """Whether its points are baselines."""
        return self.points[0] < 0


@dataclass(frozen=True)
class Packed:
    """How points were put together: the points of every pack, and why a point cannot be, by its number."""

    packs: tuple[tuple[int, ...], ...]
    refused: dict[int, str]


class Packer:
    """Puts points of one sweep together.

    start: the configuration without swept fields. fields: those that are swept. seeds: chips of a point; max_chips: of
    a pack.
    """

    def __init__(self, start: RunConfig, fields: Sequence[Field], *, seeds: int, max_chips: int) -> None:
        self.start, self.seeds, self.size = start, seeds, max(1, max_chips // seeds)
        self.fields = {field.path: field for field in fields}
        self._known: dict[tuple[str, type], bool] = {}
        self.start_values = {path: field.of(start) for path, field in self.fields.items()}

    def pack(self, points: Mapping[int, Values]) -> Packed:
        """Return how points are packed: those with the same key, in order, in packs of about equal size."""
        groups: dict[str, list[int]] = {}
        for number, values in points.items():
            groups.setdefault(self._key(values), []).append(number)
        packs: list[tuple[int, ...]] = []
        refused: dict[int, str] = {}
        for numbers in groups.values():
            for part in self._checked(points, numbers, refused):
                packs += _equal_parts(part, self.size)
        return Packed(tuple(packs), refused)

    def filled(self, points: Sequence[Values]) -> list[dict[str, Any]]:
        """Return the points of one pack so that `packed_run` makes a run of any of them: {"shared": ..., "own": ...}.

        Where one point sweeps a field that another leaves as it is, the other is given the value that it has.
        """
        parts = [self._split(values) for values in points]
        paths = dict.fromkeys(path for _, differing in parts for path in differing)
        shared, have = parts[0][0], self.start_values
        if shared and any(path not in differing for _, differing in parts for path in paths):
            config = self.start.with_(shared)
            have = {path: field.of(config) for path, field in self.fields.items()}
        return [
            {"shared": shared, "own": {path: differing.get(path, have[path]) for path in paths}}
            for _, differing in parts
        ]

    def _split(self, values: Values) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that a whole run shares, and those in which its chips may differ."""
        shared: dict[str, Any] = {}
        differing: dict[str, Any] = {}
        for path, value in values.items():
            (differing if self._may_differ(path, value) else shared)[path] = value
        return shared, differing

    def _may_differ(self, path: str, value: Any) -> bool:
        kind = (path, type(value))
        if type(value) not in (int, float):  # among numbers the answer is the same
            return self.fields[path].may_differ(value)
        if kind not in self._known:
            self._known[kind] = self.fields[path].may_differ(value)
        return self._known[kind]

    def _key(self, values: Values) -> str:
        """Return what points of one pack have in common.

        A field that another point may leave as it is must have a value there; where there is none, as of an optional
        part that is off or of a pattern of layers, both must sweep it.
        """
        shared, differing = self._split(values)
        needed = sorted(path for path in differing if self.start_values[path] is None)
        return json.dumps([sorted(shared.items()), needed])

    def _checked(self, points: Mapping[int, Values], numbers: list[int], refused: dict[int, str]) -> list[list[int]]:
        """Return points of one key, without those that cannot be, in as few parts as can each be one run."""
        at_once = max(self.size, CHECKED // self.seeds)
        chunks = [
            self._fitting(points, numbers[first : first + at_once], refused)
            for first in range(0, len(numbers), at_once)
        ]
        if all(len(parts) <= 1 for parts in chunks):
            whole = [n for parts in chunks for part in parts for n in part]
            return [whole] if whole else []
        return [part for parts in chunks for part in parts]

    def _fitting(self, points: Mapping[int, Values], numbers: list[int], refused: dict[int, str]) -> list[list[int]]:
        """Return parts of the points that can each be one run, and note why a point cannot be by itself."""
        try:
            self._try(points, numbers)
        except ConfigError as error:
            if len(numbers) == 1:
                refused[numbers[0]] = self._why(points[numbers[0]], error)
                return []
            half = len(numbers) // 2
            parts = [part for h in (numbers[:half], numbers[half:]) for part in self._fitting(points, h, refused)]
            return self._together(points, parts)
        return [numbers]

    def _try(self, points: Mapping[int, Values], numbers: list[int]) -> None:
        filled = self.filled([points[n] for n in numbers])
        packed_run(self.start, filled, range(len(numbers) * self.seeds))

    def _why(self, values: Values, error: ConfigError) -> str:
        """Return in one line why a point cannot be; said of one chip, as lists over chips would only confuse."""
        try:
            packed_run(self.start, self.filled([values]), [0])
        except ConfigError as plain:
            error = plain
        return " ".join(str(error).split())

    def _together(self, points: Mapping[int, Values], parts: list[list[int]]) -> list[list[int]]:
        """Return parts as one where that can be: the impossible points between them are gone."""
        if len(parts) < 2:
            return parts
        whole = [n for part in parts for n in part]
        try:
            self._try(points, whole)
        except ConfigError:
            return parts
        return [whole]


def packed_run(start: RunConfig, points: Sequence[Mapping[str, Any]], chips: Sequence[int]) -> RunConfig:
    """Return the run of points as `Packer.filled` gives them, whose chips are `chips`, equally many for each.

    Raises ConfigError where there is no such run.
    """
    each = len(chips) // len(points)
    changes: dict[str, Any] = dict(points[0]["shared"])
    for path in points[0]["own"]:
        held = [point["own"][path] for point in points]
        changes[path] = [value for value in held for _ in range(each)] if len(chips) > 1 else held[0]
    return start.with_({**changes, "chips": list(chips)})


def _equal_parts(numbers: list[int], size: int) -> Iterator[tuple[int, ...]]:
    """Yield as few parts of at most `size` as there can be, of nearly equal sizes."""
    count = -(-len(numbers) // size)
    for k in range(count):
        yield tuple(numbers[k * len(numbers) // count : (k + 1) * len(numbers) // count])
