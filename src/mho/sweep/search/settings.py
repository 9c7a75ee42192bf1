"""The table [search] of a sweep: how many points are asked for, what they cost, what is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mho.errors import ConfigError, nearest

COST, PENALTY = "cost", "penalty"
CHEAPEST = "cheapest"


@dataclass(frozen=True)
class Search:
    """How to search.

    trials: points in all. batch: points asked for at once, which share runs. cost: see `read_cost`. targets: what is
    made small: ("cost",), the cheapest device whose penalty is within the sweep's threshold; ("cost", "penalty"), the
    front of devices that no other beats in both; ("penalty",), the best device. storage: the URL of a database for
    Optuna's record; "": search.db in the directory of the sweep. seed: of the sampler.
    Raises ConfigError.
    """

    cost: str = ""
    trials: int = 128
    batch: int = 16
    targets: tuple[str, ...] = (COST,)
    storage: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("trials", "batch"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigError(f"search.{name} must be a whole number of at least 1, found {value!r}")
        if type(self.seed) is not int or not 0 <= self.seed < 2**32:
            raise ConfigError(f"search.seed must be from 0 to 2^32 - 1, found {self.seed!r}")
        for name in ("cost", "storage"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(f"search.{name} must be a text, found {getattr(self, name)!r}")
        if not self.targets or set(self.targets) - {COST, PENALTY} or len(set(self.targets)) < len(self.targets):
            raise ConfigError(
                f'search.targets must be ["cost"], ["cost", "penalty"] or ["penalty"], found {list(self.targets)!r}'
            )
        if COST in self.targets and not self.cost.strip():
            raise ConfigError(
                'search.cost is missing: say what a device costs, low where it is cheap, as cost = "log10(1/c2c)"; or '
                'targets = ["penalty"] for the best device at any cost'
            )


NAMES = (*(field.name for field in fields(Search)), "goal")


def read_search(table: Mapping[str, Any]) -> Search:
    """Return the settings of a table; `goal = "cheapest"` stands for `targets = ["cost"]`. Raises ConfigError."""
    if unknown := [f"{name!r} ({nearest(str(name), NAMES)})" for name in table if name not in NAMES]:
        raise ConfigError(f"[search] has no setting {', '.join(unknown)}")
    given = dict(table)
    goal = given.pop("goal", CHEAPEST)
    if goal != CHEAPEST:
        raise ConfigError(
            f'search.goal is "cheapest" or left out, found {goal!r}; for a front give targets = ["cost", "penalty"]'
        )
    if "goal" in table and "targets" in table:
        raise ConfigError("search has both goal and targets; keep one")
    if "targets" in given:
        if not isinstance(given["targets"], (list, tuple)) or not all(isinstance(t, str) for t in given["targets"]):
            raise ConfigError(f'search.targets must be a list, as ["cost", "penalty"], found {given["targets"]!r}')
        given["targets"] = tuple(given["targets"])
    return Search(**given)
