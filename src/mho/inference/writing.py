"""Writing the devices of a block: once, or with read-verify-write, around devices that are stuck."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import PerChip, numbers
from mho.inference.programmed import Programmed
from mho.inference.verify import ROUNDS, Verify
from mho.kernels.product import normals


@dataclass(frozen=True)
class Written:
    """How writing one block went; every tensor is over chips, float64.

    devices: how many a chip has, reference devices included. weights: how many weights. clipped: weights beyond the
    window. square: sum of (weight shown - weight trained)^2, where 1 is the weight that fills the window; levels are
    part of the error. stuck_low, stuck_high: devices that are stuck. pulses, reads: sent and made. missed: devices that
    no reading found near enough.
    """

    devices: int
    weights: int
    clipped: Tensor
    square: Tensor
    stuck_low: Tensor
    stuck_high: Tensor
    pulses: Tensor
    reads: Tensor
    missed: Tensor


def write_(block: Programmed, stuck: Tensor | None = None) -> Written:
    """Write the devices of a block and show the weights; return how it went.

    stuck: int8, shaped like the conductances: devices that are stuck beside those that the settings draw.
    """
    settings = block.settings
    wanted = block.wanted()
    block.stuck_(_stuck(block, tuple(wanted.shape), stuck))
    call = _first_call(block)
    found = block.held(settings.error.written(wanted, settings.conductances, block.draw, call))
    devices = found[0].numel()
    none = torch.zeros(found.shape[0], dtype=torch.float64, device=found.device)
    pulses, reads, missed = none + settings.timing.pulses * devices, none + settings.timing.reads * devices, none
    if settings.verify is not None:
        loop = _Loop(block, settings.verify, wanted, found)
        found = loop.run(call)
        pulses, reads, missed = pulses + loop.pulses, reads + loop.reads, sums(loop.left)
    block.conductance = found
    shown = settings.conductances.to_weights(found)
    block.show_(shown)
    return Written(
        devices=devices, weights=block.target[0].numel(), pulses=pulses, reads=reads, missed=missed,
        clipped=sums(block.target.abs() > 1), square=sums(shown.sub_(block.target).square_()),
        stuck_low=none if block.stuck is None else sums(block.stuck < 0),
        stuck_high=none if block.stuck is None else sums(block.stuck > 0),
    )  # fmt: skip


def sums(values: Tensor) -> Tensor:
    """Return the sums over all that a chip holds, float64."""
    return values.flatten(1).sum(1, dtype=torch.float64)


def _stuck(block: Programmed, shape: tuple[int, ...], given: Tensor | None) -> Tensor | None:
    faults = block.settings.faults
    drawn = faults.drawn(shape, block.draw, block.target.device) if faults.present else None
    if given is None or drawn is None:
        return drawn if given is None else given
    return torch.where(given != 0, given, drawn)


def _first_call(block: Programmed) -> int:
    """Return the number of the first draw of this programming of a block, and count it."""
    call = block.writes * ROUNDS
    block.writes += 1
    return call


class _Loop:
    """Readings and further writes of one block.

    found: conductances; left: devices whose reading was not near enough yet; pulses, reads: per chip.
    """

    def __init__(self, block: Programmed, verify: Verify, wanted: Tensor, found: Tensor) -> None:
        self.block, self.verify, self.wanted, self.found = block, verify, wanted, found
        self.window = block.settings.conductances.window
        self.left = torch.ones_like(found, dtype=torch.bool)
        self.pulses, self.reads = (found.new_zeros(len(found), dtype=torch.float64) for _ in range(2))
        self.sent = torch.zeros_like(found) if verify.total else None
        self.sizes = self._sizes() if verify.strategy == "tune" else None

    def run(self, first: int) -> Tensor:
        """Return the conductances after all iterations; first: the number of the first draw."""
        for i in range(self.verify.iterations):
            error = self._read(first + i)
            if not bool(self.left.any()):
                return self.found
            number = self._number(error)
            self.pulses += sums(number)
            self.found = self.block.held(self._written(error, number, first + i + 1))
        self._read(first + self.verify.iterations)
        return self.found

    def _read(self, call: int) -> Tensor:
        """Read the devices that are left; return target - reading and take those that are near enough out of `left`."""
        self.reads += sums(self.left)
        error = self.wanted - self.found
        if any(numbers(self.verify.read_noise)):
            noise = self._xi("verify reading", call)
            error -= noise.mul_(self._siemens(self.verify.read_noise, "verify.read_noise"))
        self.left &= error.abs() > self._siemens(self.verify.tolerance, "verify.tolerance")
        return error

    def _number(self, error: Tensor) -> Tensor:
        """Return how many pulses every device gets, as floats."""
        if self.sizes is None:
            number = self.left.float()
        else:
            number = (error.abs() / self._siemens(self.verify.step, "verify.step")).round_()
            number.clamp_(1.0, float(self.verify.pulses)).mul_(self.left)
        if self.sent is not None:
            number = torch.minimum(number, self.verify.total - self.sent)
            self.sent += number
        return number

    def _written(self, error: Tensor, number: Tensor, call: int) -> Tensor:
        """Return the conductances after so many pulses towards the target."""
        if self.sizes is None:
            settings = self.block.settings
            anew = settings.error.written(self.wanted, settings.conductances, self.block.draw, call)
            return torch.where(number > 0, anew, self.found)
        moved = number
        if any(numbers(self.verify.c2c)):
            xi = self._xi("verify pulses", call)
            moved = number + xi.mul_(self._chips(self.verify.c2c, "verify.c2c")).mul_(number.sqrt())
        return (self.found + torch.copysign(self.sizes, error) * moved).clamp_min_(0.0)

    def _sizes(self) -> Tensor:
        """Return the mean change of every device by a pulse, in siemens."""
        step = self._siemens(self.verify.step, "verify.step")
        if not any(numbers(self.verify.d2d)):
            return step.expand_as(self.found)
        xi = self._xi("verify step", 0)
        return xi.mul_(self._chips(self.verify.d2d, "verify.d2d")).add_(1.0).abs_().mul_(step)

    def _xi(self, purpose: str, call: int) -> Tensor:
        """Return standard normal draws, one for every device."""
        return normals(self.block.draw.keys(purpose).to(self.found.device), tuple(self.found.shape), call)

    def _chips(self, value: PerChip, name: str) -> Tensor:
        return torch.from_numpy(over_chips(value, self.found.shape[0], name).copy()).to(self.found.device)

    def _siemens(self, value: PerChip, name: str) -> Tensor:
        return self._chips(value, name) * self.window
