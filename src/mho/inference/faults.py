"""Stuck-at faults: devices that cannot be programmed and stay at the lowest or highest conductance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Literal

from mho.config.values import convert_fields
from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.errors import SettingsError

if TYPE_CHECKING:  # settings are read without torch
    import torch
    from torch import Tensor

    from mho.tiles.draw import TileDraw

Kind = Literal["independent", "rows", "columns", "clusters"]


@dataclass(frozen=True)
class StuckFaults:
    """Shares of devices that are stuck at g_min (`low`) and at g_max (`high`), drawn once per device, row, ...

    "independent": every device by itself; "rows", "columns": all devices of an output line or of an input line that
    belong to the same side of a pair; "clusters": squares of `size` x `size` devices. Whatever the kind, a device is
    stuck with the probabilities low and high. Authors disagree on which is called "SA0": low is the lowest conductance.
    low and high may be lists of one number per chip. Raises ConfigError unless 0 <= low, high and low + high <= 1.
    """

    low: PerChip = 0.0
    high: PerChip = 0.0
    kind: Kind = "independent"
    size: int = 4

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        for name in ("low", "high"):
            if any(not 0 <= v <= 1 for v in numbers(getattr(self, name))):
                yield name, f"is a share of the devices, from 0 to 1, found {getattr(self, name)}; 9.04 % is 0.0904"
        lows, highs = numbers(self.low), numbers(self.high)
        longest = max(len(lows), len(highs))
        if any(a + b > 1 for a, b in islice(zip(cycle(lows), cycle(highs), strict=False), longest)):
            yield "low", f"and high are shares of the same devices, found {self.low} and {self.high}: more than all"
        if self.size < 1:
            yield "size", f"is the edge of a cluster in devices, at least 1, found {self.size}"

    @property
    def present(self) -> bool:
        """Whether there are faults."""
        return any(numbers(self.low)) or any(numbers(self.high))

    def drawn(self, shape: tuple[int, ...], draw: TileDraw, device: torch.device | None = None) -> Tensor:
        """Return the faults of devices of shape (chips, devices, rows, columns): int8, -1 low, +1 high, 0 none.

        device: where they are drawn, by default the CPU.
        """
        import torch

        from mho.kernels.product import normals

        chips = shape[0]
        xi = normals(draw.keys("program faults").to(device), self._lots(shape))
        shares = (over_chips(v, chips, n) for v, n in ((self.low, "faults.low"), (self.high, "faults.high")))
        limits = (torch.special.ndtri(torch.from_numpy(s.copy()).double()).float() for s in shares)
        below, above = (limit.to(device) for limit in limits)
        codes = (xi > -above).to(torch.int8) - (xi < below).to(torch.int8)
        return self._spread(codes, shape, draw)

    def _lots(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what is drawn: one number for all devices that are stuck together."""
        chips, devices, rows, columns = shape
        if self.kind == "rows":
            return chips, devices, rows, 1
        if self.kind == "columns":
            return chips, devices, 1, columns
        if self.kind == "clusters":
            return chips, devices, rows // self.size + 2, columns // self.size + 2
        return shape

    def _spread(self, codes: Tensor, shape: tuple[int, ...], draw: TileDraw) -> Tensor:
        """Return what was drawn for lots as faults of all devices; the squares of a chip begin at a random corner."""
        import torch

        if self.kind != "clusters":
            return codes.expand(shape)
        n, (rows, columns) = self.size, shape[2:]
        big = codes.repeat_interleave(n, dim=2).repeat_interleave(n, dim=3)
        corners = draw.keys("program fault corners").numpy().view("uint32") % n
        return torch.stack([chip[:, r : r + rows, c : c + columns] for chip, (r, c) in zip(big, corners, strict=True)])
