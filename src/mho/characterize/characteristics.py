"""Everything that can be seen of a device from its law, computed together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize.cycle import cycle
from mho.characterize.parameters import measured, parameters
from mho.characterize.response import Response, response_of
from mho.characterize.states import States, states_of
from mho.characterize.steps import StepSizes, steps_of
from mho.devices.base import Device


@dataclass(frozen=True)
class Characteristics:
    """What `devices` drawn devices per chip and the mean device are like.

    mean (chips,) and drawn (chips, devices): by name, what noiseless pulses show of the mean and of the drawn devices;
    see `measured`. parameters: by name (chips, devices), what differs between the drawn devices: the stated fields, and
    what is measured beside them.
    """

    device: Device
    devices: int
    chips: tuple[int, ...]
    response: Response
    steps: StepSizes
    states: States
    mean: dict[str, np.ndarray]
    drawn: dict[str, np.ndarray]
    parameters: dict[str, np.ndarray]


def characterize(
    device: Device,
    pulses: int | None = None,
    devices: int = 200,
    seed: int = 0,
    *,
    chips: tuple[int, ...] = (0,),
) -> Characteristics:
    """Return response, steps, number of states and drawn parameters of `devices` drawn devices per chip.

    `pulses` go up and as many down; without it, enough to cross the range. The same arguments give the same numbers.
    Raises ConfigError when a number is impossible or a list over chips does not fit, LawError when the law gives NaN
    or infinity.
    """
    whole = cycle(device, None, devices, seed, chips=chips)
    shown = whole if pulses in (None, whole.turn) else cycle(device, pulses, devices, seed, chips=chips)
    given, steps = response_of(shown), steps_of(whole)
    mean, drawn = measured(whole, steps)
    return Characteristics(
        device, devices, chips, given, steps, states_of(whole), mean, drawn, parameters(whole, drawn)
    )
