"""What a pulsed update works on: the arrays of one tile, and how trains are made. Shared by all backends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from mho.devices.base import Device, law_arguments


@dataclass
class Cells:
    """The arrays of one tile that pulses read and change.

    state: (chips, devices, rows, columns) conductances as normalised weights.
    parameters: what the law takes by name, each (chips, devices, rows, columns) or (chips,).
    extra: the law's further states by name, each of the shape of `state`.
    totals: (chips,) int64 pulses so far. counts: int32 pulses per device, or None.
    frozen: uint8, 1 where a device never moves, or None.
    apparent, write_noise: what is read when writing is noisy: state + write_noise xi; write_noise is (chips,).
    visible, gains: (chips, rows, columns) sum over devices of gain times device, kept when it is not `state` itself.
    offset: (chips, rows, columns) what the reference devices take from `visible`, or None.
    paired: devices 2k and 2k + 1 are the sides of a pair; where one device of a cell is pulsed, one pair is.
    one_sided: a coincidence pulses only the devices that it raises, and leaves the others alone in every way.

    A device of negative gain (as it is when an update begins) goes down where its weight goes up.
    """

    device: type[Device]
    state: Tensor
    parameters: dict[str, Tensor]
    totals: Tensor
    extra: dict[str, Tensor] = field(default_factory=dict)
    counts: Tensor | None = None
    frozen: Tensor | None = None
    apparent: Tensor | None = None
    write_noise: Tensor | None = None
    visible: Tensor | None = None
    gains: Tensor = field(default_factory=lambda: torch.ones(1))
    offset: Tensor | None = None
    paired: bool = False
    one_sided: bool = False

    @property
    def per_cell(self) -> tuple[bool, ...]:
        """Which of the law's arguments are arrays: over cells, or over the nodes of a table."""
        return tuple(self.parameters[n].dim() > 1 for n in law_arguments(self.device))


@dataclass(frozen=True)
class Scheme:
    """How the numbers of one sample become pulse trains.

    bl: train length, or its upper limit when `managed` (BL = min(bl, ceil(gain x_max d_max))).
    balanced: update management, which shares the probability equally between x and d.
    deterministic: evenly placed pulses in place of random ones.
    one_device: which device of a cell a sample pulses: "all", "random" or "turn".
    """

    bl: int = 31
    managed: bool = True
    balanced: bool = True
    deterministic: bool = False
    one_device: str = "all"


class Fuse(NamedTuple):
    """Where a GPU remembers that a layer's numbers were not finite, so that no layer moves and no number is copied.

    flags: int32 of one place per layer, their number a power of two; a kernel that moves devices looks at all of them.
    place: this layer's.
    """

    flags: Tensor
    place: int


@dataclass
class Samples:
    """One step's samples: x (chips, batch, columns without the bias), d (chips, batch, rows), gain (chips,).

    gain = lr / (granularity of the weight): the expected pulses of a cell are gain x d. `bias`: a further column of
    input 1. `first`: the number of the first vector within the step. `keys`: (chips, 5, 2) uint32 words for x trains,
    d trains, pulses, writes and the choice of a device. `tick`: int64 of one element, added to `step` by the kernels of
    a GPU, so that a graph of launches counts without Python; None for 0. `fuse`: see there; None: looked at by nobody.
    """

    x: Tensor
    d: Tensor
    gain: Tensor
    keys: Tensor
    step: int
    bias: bool = False
    first: int = 0
    tick: Tensor | None = None
    fuse: Fuse | None = None


PURPOSES = ("train x", "train d", "pulse", "write", "device")
"""The purposes of the keys in `Samples.keys`, in order."""

MOST = 65_536
"""Pulses of one sample on one device at most, where their number is real: by then every device has settled."""
