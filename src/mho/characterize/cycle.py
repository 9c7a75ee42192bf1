"""One slow cycle of many devices: to the lowest state, up to the highest, and down again, or reset and up again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.characterize.sample import BLOCK, Sample, beside
from mho.devices.base import Device
from mho.errors import ConfigError, LawError

POINTS = 150
"""Readings of each half of a cycle."""
SETTLED = 0.05
"""A device has settled when a pulse moves it by less than this share of its step at w = 0."""
LONGEST = 20_000
MOST_PULSES, MOST_DEVICES, MOST = 1_000_000, 100_000, 1_000_000_000
"""Pulses in each direction, devices of all chips together, and their product, that are computed at the most."""
UNBOUNDED = 1_000
"""Pulses of a device that does not settle within LONGEST pulses."""


@dataclass(frozen=True)
class Cycle:
    """Where `turn` pulses down from 0, `turn` up and `turn` down take drawn devices and the mean device.

    A unipolar device, which no pulse lowers, begins at 0, gets `turn` pulses up, is reset, and gets `turn` up again;
    its states before and after the reset stand at the same place of `when`.

    drawn, mean: the devices, before the first pulse. when: (points,) pulses since the lowest state; read: (chips,
    devices, points) states of the drawn devices then, with cycle-to-cycle and write noise. Without noise: low, high
    (chips, devices) are the ends that the drawn devices reach; up, down (chips, turn + 1) the states of the mean device
    after every pulse of the two ways between its own ends (`down` of a unipolar one is NaN); extra: its further states
    on the way up, each (chips, 1, turn + 1).
    """

    turn: int
    drawn: Sample
    mean: Sample
    when: np.ndarray
    read: np.ndarray
    low: np.ndarray
    high: np.ndarray
    up: np.ndarray
    down: np.ndarray
    extra: list[np.ndarray]


def cycle(
    device: Device,
    pulses: int | None = None,
    devices: int = 200,
    seed: int = 0,
    *,
    chips: tuple[int, ...] = (0,),
) -> Cycle:
    """Return a cycle of `pulses` pulses each way, enough to cross the range when not given.

    Device-to-device spread is on; leak, diffusion and faults are not. The same arguments give the same numbers.
    Raises ConfigError when `pulses` is below 1 or a list over chips does not fit, or for more than is worth drawing.
    """
    if devices * len(chips) > MOST_DEVICES:
        of = f" for each of {len(chips)} chips" if len(chips) > 1 else ""
        raise ConfigError(
            f"{devices} devices{of} were asked for; each is kept with its readings and its noise, so that all of them "
            f"together may be at most {MOST_DEVICES}. A few hundred show a spread well"
        )
    pulses = pulses_across(device, len(chips)) if pulses is None else pulses
    if pulses < 1:
        raise ConfigError(f"a response needs at least 1 pulse in each direction, found {pulses}")
    if pulses > MOST_PULSES or pulses * devices * len(chips) > MOST:
        raise ConfigError(
            f"{pulses} pulses in each direction of {devices * len(chips)} devices were asked for; they are computed "
            f"one after another, so at most {MOST_PULSES} pulses are, and pulses times devices may be {MOST}. Without "
            "a number of pulses, as many are taken as cross the range"
        )
    drawn = Sample(device, devices, seed=seed, chips=chips)
    mean = Sample(device, chips=chips, mean=True)
    # All together, because the law takes about as long for one device as for hundreds: those with noise, the same
    # without, and the mean device.
    all_ = beside([drawn, drawn, mean])
    half = np.unique(np.linspace(0, pulses, POINTS + 1).round().astype(int))
    again = half if device.unipolar else half[1:]
    when = np.concatenate([half, pulses + again])
    wanted, first = set((when + pulses).tolist()), pulses if device.unipolar else 0
    noise = np.zeros_like(all_.state)
    read: list[np.ndarray] = []
    path: list[np.ndarray] = []
    extra: list[list[np.ndarray]] = []
    ends: list[np.ndarray] = []
    for n in range(first, 3 * pulses + 1):
        if n in wanted:
            read.append(_reading(drawn, all_.state[:, :devices], len(read), pulsed=n > first))
        if n in (pulses, 2 * pulses):
            ends.append(all_.state[:, devices:-1])
        if n >= pulses:
            path.append(all_.state[:, -1].copy())
            extra.append([e[:, -1:].copy() for e in all_.extra])
        if n == 2 * pulses and device.unipolar:
            all_.reset_()
            read.append(_reading(drawn, all_.state[:, :devices], len(read), pulsed=False))
        if n == 3 * pulses:
            break
        if n % BLOCK == 0 or n == first:
            xi = drawn.noise("response", n // BLOCK)
        noise[:, :devices] = xi[n % BLOCK]
        all_.pulse_(n >= pulses and (device.unipolar or n < 2 * pulses), noise)
    ways = np.stack(path, axis=1)
    down = ways[:, pulses:] * (np.nan if device.unipolar else 1.0)
    held = [np.stack(one, axis=2) for one in zip(*extra[: pulses + 1], strict=True)]
    return Cycle(
        turn=pulses, drawn=drawn, mean=mean, when=when, read=np.stack(read, axis=2), low=ends[0], high=ends[1],
        up=ways[:, : pulses + 1], down=down, extra=held,
    )  # fmt: skip


def _reading(sample: Sample, state: np.ndarray, number: int, *, pulsed: bool) -> np.ndarray:
    """Return states (chips, devices) as a reading shows them, with the write noise of the last pulse, if any."""
    if not (pulsed and sample.write_sigma.any()):
        return state.copy()
    return state + sample.write_sigma * sample.noise("response write", number)[0]


def not_finite(c: Cycle) -> LawError:
    """Return the error of a law that gives NaN or infinity."""
    return LawError(
        f"{type(c.drawn.device).__name__}.pulse gives NaN or infinity within {3 * c.turn} pulses, so no state is left "
        "to show; keep the state between bounds with minimum and maximum, and divide by nothing that can be 0"
    )


def pulses_across(device: Device, chips: int = 1) -> int:
    """Return how many pulses take most devices from one end of the range to the other.

    1.4 times what the mean device needs from 0 to both ends (a unipolar one to the upper end), an end being where a
    pulse moves it by less than 5 % of its step at 0; 1000 for a device that does not get there within 20,000 pulses.
    """
    ids = tuple(range(chips))
    total = 0
    for up in (True,) if device.unipolar else (True, False):
        sample = Sample(device, chips=ids, mean=True)
        least = SETTLED * device.granularity(chips).reshape(-1, 1)
        needed = next((n for n in range(1, LONGEST + 1) if (_moved(sample, up) < least).all()), None)
        if needed is None:
            return UNBOUNDED
        total += needed
    return max(2, int(1.4 * total))


def _moved(sample: Sample, up: bool) -> np.ndarray:
    """Pulse every device once and return how far it went."""
    before = sample.state
    sample.pulse_(up)
    return np.abs(sample.state - before)
