"""Times after programming as people write them: 1s, 90min, 1h, 1d, 1y."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from mho.errors import ConfigError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365.25 * 86400.0}
"""Seconds of each unit."""
TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d{1,2}))?\s*([a-zA-Zµ]*)")
LONGEST = 1000 * UNITS["y"]


class Time(NamedTuple):
    """A time after programming: as it was written, and in seconds."""

    text: str
    seconds: float


def read_time(text: str) -> Time:
    """Return the time of a text such as 1s, 90min, 1h, 2.5d or 10y; a year has 365.25 days.

    Raises ConfigError for anything else, and for more than 1000 years.
    """
    asked = text.strip()
    found = TIME.fullmatch(asked)
    if found is None:
        raise ConfigError(f"a time is a number with a unit, {', '.join(UNITS)}, found {text!r}; give 1s, 90min or 10y")
    number, power, unit = found.groups()
    if unit not in UNITS:
        what = f"has the unit {unit!r}" if unit else "has no unit"
        raise ConfigError(f"the time {asked!r} {what}; units are {', '.join(UNITS)}: give {number}s, or 90min, or 10y")
    seconds = float(number) * 10.0 ** int(power or 0) * UNITS[unit]
    if not seconds <= LONGEST:
        raise ConfigError(f"the time {asked!r} is more than 1000 years after programming; give 10y")
    return Time(asked.replace(" ", ""), seconds)


def read_times(text: str | Iterable[str]) -> tuple[Time, ...]:
    """Return times in order, of a list, or of a text with commas; raise ConfigError where they go backwards."""
    found = tuple(read_time(part) for part in (text.split(",") if isinstance(text, str) else text))
    if not found:
        raise ConfigError("accuracy over time needs at least one time; give 1s,1h,1d,1y")
    for before, after in pairwise(found):
        if after.seconds <= before.seconds:
            raise ConfigError(
                f"times go on from programming, but {after.text} comes after {before.text}: conductances cannot grow "
                f"younger; give them in order: {', '.join(t.text for t in sorted(set(found), key=lambda t: t.seconds))}"
            )
    return found
