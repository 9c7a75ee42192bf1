"""Programming errors: how far from its target a device ends that was written once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mho.config.values import convert_fields
from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.errors import SettingsError
from mho.inference.conductances import Conductances

if TYPE_CHECKING:  # settings are read without torch
    from torch import Tensor

    from mho.tiles.draw import TileDraw

SMALLEST = 1e-30
"""The distance of rows of a table that still is one in single precision."""
Model = Literal["none", "additive", "multiplicative", "log-normal", "polynomial", "levels"]


@dataclass(frozen=True)
class WriteError:
    """How far from its target conductance g a device ends, with n = d2d xi_device + c2c xi_write standard normal.

    "none":           g
    "additive":       g + (g_max - g_min) n
    "multiplicative": g (1 + n)
    "log-normal":     g exp(n)
    "polynomial":     g + g_max s(g/g_max) n,          s(x) = coefficients[0] + coefficients[1] x + ..., at least 0
    "levels":         g + R (m(x) + s(x) n),   x = (g - g_min)/R, R = g_max - g_min, lines between the rows of `table`

    xi_device is drawn once per device, xi_write at every write; d2d and c2c may be lists of one number per chip.
    coefficients: of s, from the constant on. table: rows (x, m, s) in order of x. Conductances stay at 0 or above.
    Raises ConfigError for negative spreads, missing coefficients or a table out of order.
    """

    model: Model = "none"
    c2c: PerChip = 0.0
    d2d: PerChip = 0.0
    coefficients: tuple[float, ...] = ()
    table: tuple[tuple[float, float, float], ...] = ()

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        for name in ("c2c", "d2d"):
            if any(v < 0 for v in numbers(getattr(self, name))):
                yield name, f"is a standard deviation, not negative, found {getattr(self, name)}; 0 turns it off"
        if bool(self.coefficients) != (self.model == "polynomial"):
            yield "coefficients", f'go with model = "polynomial", found {self.coefficients} and {self.model!r}'
        if bool(self.table) != (self.model == "levels"):
            yield "table", f'goes with model = "levels", found {len(self.table)} rows and {self.model!r}'
        xs = [row[0] for row in self.table]
        if xs != sorted(set(xs)):
            yield "table", f"has its rows in order of x, each x once, found x = {xs}"
        if any(row[2] < 0 for row in self.table):
            yield "table", "has a negative standard deviation in its third column; these are 0 or more"
        if len(self.table) > 256:
            yield "table", f"has at most 256 rows, found {len(self.table)}"

    @property
    def varies(self) -> bool:
        """Whether anything is drawn."""
        return self.model != "none" and (any(numbers(self.c2c)) or any(numbers(self.d2d)))

    def normal(self, like: Tensor, draw: TileDraw, call: int) -> Tensor | None:
        """Return n for every device, shaped like conductances (chips, ...); None where nothing is drawn."""
        import torch

        from mho.kernels.product import normals

        parts = []
        for name, value, number in (("d2d", self.d2d, 0), ("c2c", self.c2c, call)):
            if any(numbers(value)):
                size = torch.from_numpy(over_chips(value, like.shape[0], f"error.{name}").copy()).to(like.device)
                xi = normals(draw.keys(f"program {name}").to(like.device), tuple(like.shape), number)
                parts.append(xi.mul_(size.reshape(-1, *[1] * (like.dim() - 1))))
        return None if not parts else parts[0] if len(parts) == 1 else parts[0].add_(parts[1])

    def written(self, target: Tensor, conductances: Conductances, draw: TileDraw, call: int = 0) -> Tensor:
        """Return the conductances after one write of targets (chips, devices, rows, columns), both in siemens.

        call: the number of the write, with which xi_write is drawn anew. The target itself is not changed.
        """
        n = self.normal(target, draw, call) if self.model != "none" else None
        if self.model == "levels":
            mean, spread = self._of_table(target, conductances)
            moved = mean if n is None else n.mul_(spread).add_(mean)
            return moved.mul_(conductances.window).add_(target).clamp_min_(0.0)
        if n is None:
            return target.clone()
        if self.model == "additive":
            n.mul_(conductances.window).add_(target)
        elif self.model == "multiplicative":
            n.add_(1.0).mul_(target)
        elif self.model == "log-normal":
            for chip in n:  # each by itself: the last bit of exp depends on where a number stands
                chip.exp_()
            n.mul_(target)
        else:
            n.mul_(self._polynomial(target / conductances.g_max)).mul_(conductances.g_max).add_(target)
        return n.clamp_min_(0.0)

    def _polynomial(self, x: Tensor) -> Tensor:
        *rest, top = self.coefficients
        value = x * 0.0 + top
        for c in reversed(rest):
            value.mul_(x).add_(c)
        return value.clamp_min_(0.0)

    def _of_table(self, target: Tensor, conductances: Conductances) -> tuple[Tensor, Tensor]:
        """Return m and s of the table at the targets: lines between rows, the values of the outer rows beyond them."""
        import torch

        rows = torch.tensor(self.table if len(self.table) > 1 else self.table * 2)
        knots, rows = rows[:, 0].tolist(), rows.to(target.device)
        width = (rows[1:, 0] - rows[:-1, 0]).unsqueeze(1)
        slopes = torch.where(width > 0, (rows[1:, 1:] - rows[:-1, 1:]) / width.clamp_min(SMALLEST), 0.0)
        x = (target - conductances.g_min) / conductances.window
        x.clamp_(knots[0], knots[-1])
        above = torch.zeros_like(x, dtype=torch.uint8)
        for knot in knots[1:-1]:  # counting is ten times as fast as searchsorted
            above += x > knot
        line = above.flatten().long()
        x = x.flatten().sub_(rows[:, 0].index_select(0, line))
        mean, spread = (
            slopes[:, k].index_select(0, line).mul_(x).add_(rows[:, k + 1].index_select(0, line)) for k in (0, 1)
        )
        return mean.view_as(target), spread.view_as(target)

    def apply(
        self, weights: Tensor, draw: TileDraw, *, conductances: Conductances | None = None, call: int = 0
    ) -> Tensor:
        """Return weights in [-1, 1] (chips, rows, columns) as they are after one write; for training with noise.

        conductances: layout, window and levels, by default pairs without levels. call: the number of the draw.
        """
        layout = conductances or Conductances()
        return layout.to_weights(self.written(layout.to_siemens(layout.quantised(weights)), layout, draw, call))
