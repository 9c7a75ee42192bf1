"""Error types of mho: each message says what was asked, what was found, why that cannot be and what would work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class MhoError(Exception):
    """Base of every error that mho raises on purpose; its text is complete enough to act on.

    told: whether another process of the same command says it, so that this one need not.
    """

    told = False


class ConfigError(MhoError, ValueError):
    """A configuration has unknown keys or impossible values; all of them are listed at once."""


class SettingsError(ConfigError):
    """Several settings may be wrong: `problems` holds (dotted path, what is wrong) of each."""

    def __init__(self, problems: Iterable[tuple[str, str]], source: str = "") -> None:
        self.problems = tuple(problems)
        lines = [f"{path}: {text}" if path else text for path, text in self.problems]
        where = f"{source}: " if source else ""
        if len(lines) == 1:
            message = where + lines[0]
        else:
            message = f"{where}{len(lines)} settings are wrong\n" + "\n".join(f"  {line}" for line in lines)
        super().__init__(message)


class ShapeError(MhoError, ValueError):
    """A tensor's shape does not fit the layer or tile it was given to."""


class NotFiniteError(MhoError, ValueError):
    """NaN or infinity where a finite number is needed."""


class DataError(MhoError, OSError):
    """A data set is missing, corrupt or truncated."""


class CheckpointError(MhoError, OSError):
    """A checkpoint is missing, corrupt, truncated or does not fit the model."""


class RankError(MhoError, RuntimeError):
    """Processes that train one model together disagree, or one of them is gone."""


class GpuMemoryError(MhoError, RuntimeError):
    """A GPU has too little memory; the text says how many chips would fit."""


class LawError(MhoError, ValueError):
    """A device law uses something that cannot be turned into a kernel."""


class ConversionError(MhoError, TypeError):
    """A module cannot be converted to run on analog tiles."""


NEAR, NEAR_AND_SHORT, AS_NEAR = 0.6, 0.5, 0.8
"""How alike a name must be to be offered, as difflib counts it, also to one of two letters, and beside the first."""


def _alike(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, name).ratio()


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a phrase naming the valid names nearest to `name`, best first, or all of them when none is near."""
    known = sorted(valid)
    close = difflib.get_close_matches(name, known, n=3, cutoff=NEAR if len(name) > 2 else NEAR_AND_SHORT)
    close = [c for c in close if _alike(name, c) >= AS_NEAR * _alike(name, close[0])]
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "valid names: " + ", ".join(known)


class Named(Protocol):
    """What has a name, as a row of a catalogue."""

    @property
    def name(self) -> str:
        """The name by which it is asked for."""


Row = TypeVar("Row", bound=Named)


def by_name(rows: Sequence[Row], name: str, what: str) -> Row:
    """Return the row of a catalogue of `what` that has this name; raise ConfigError with the nearest names else."""
    for row in rows:
        if row.name == name:
            return row
    raise ConfigError(f"there is no {what} {name!r}; {nearest(str(name), [row.name for row in rows])}")
