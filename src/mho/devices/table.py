"""Tables that laws read: values over equally spaced nodes, shared by all devices of a chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.errors import ConfigError

Nodes = tuple[float, ...] | tuple[tuple[float, ...], ...]
"""What a field holds that is a table: the values at its nodes, or a list of such tables, one per chip."""


@dataclass(frozen=True, eq=False)
class Table:
    """Values at equally spaced nodes that a law reads with `interpolate`: (nodes,), or (chips, nodes).

    `cells` returns it under the name of the law's argument. Raises ConfigError for other shapes, NaN or infinity.
    """

    values: Any

    def __post_init__(self) -> None:
        try:
            values = np.asarray(self.values, np.float32)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"a table is a list of numbers, or one of equal length per chip, found {self.values!r}"
            ) from error
        if values.ndim not in (1, 2) or not values.size:
            raise ConfigError(
                f"a table has the shape (nodes,) or (chips, nodes), found {values.shape}; give at least one node"
            )
        if not np.isfinite(values).all():
            raise ConfigError("a table holds NaN or infinity; give finite values")
        object.__setattr__(self, "values", values)

    def over_chips(self, chips: int, name: str = "a table") -> np.ndarray:
        """Return the values as float32 (chips, nodes); raise ConfigError for a list of another number of chips."""
        values = np.atleast_2d(self.values)
        if len(values) not in (1, chips):
            raise ConfigError(
                f"{name} has {len(values)} rows over chips, but there are {chips} chips; give one row, or {chips}"
            )
        return np.broadcast_to(values, (chips, values.shape[1]))


def nodes(value: Any) -> Nodes:
    """Return a list (or an array) of numbers, or of one such list per chip, as tuples.

    Raises ConfigError for anything else.
    """
    Table(value)
    rows = np.asarray(value, np.float64).tolist()
    return tuple(tuple(row) if isinstance(row, list) else row for row in rows)


def check_sizes(**tables: Nodes) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with tables of step sizes of one device, by the names of their fields."""
    (first, values), *others = tables.items()
    count = np.shape(values)[-1]
    for name, values in others:
        if np.shape(values)[-1] != count:
            yield name, f"found {np.shape(values)[-1]} nodes, but {first} has {count}; give as many in each table"
    for name, values in tables.items():
        if np.min(values) < 0:
            yield (
                name,
                f"found {np.min(values):g}, but values are sizes in the direction of the pulse; give 0 where a device "
                "does not move",
            )


def both_ways(up: Nodes, down: Nodes) -> Table:
    """Return one table of the nodes for a pulse up and, behind them, those for a pulse down: a law reads it once."""
    rows, others = np.atleast_2d(up), np.atleast_2d(down)
    chips = max(len(rows), len(others))
    return Table(np.concatenate([np.broadcast_to(v, (chips, v.shape[1])) for v in (rows, others)], axis=1))


def places(nodes: Nodes, bottom: Any, top: Any) -> dict[str, Any]:
    """Return what finds a state's place among nodes from `bottom` to `top`.

    per_w: how many lie in a unit of w. behind: how many places farther those for a pulse down are.
    """
    count = np.shape(nodes)[-1]
    return {"per_w": np.float32(count - 1) / np.maximum(top - bottom, np.float32(1e-6)), "behind": float(count)}
