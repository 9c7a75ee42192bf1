"""Programming errors of a device of the catalogue, or one's own: measured by programming many of it with verify."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mho.devices.base import Device
from mho.errors import ConfigError
from mho.inference.errors import WriteError
from mho.kernels.product import normals
from mho.tiles.array import Array
from mho.tiles.cell import ArraySettings
from mho.tiles.place import Place
from mho.update.program import program_
from mho.update.program_settings import Program


@dataclass(frozen=True)
class Measured:
    """What programming a device costs, in a form that `Programming` takes.

    error: mean and standard deviation over the window. pulses: that a device takes in the mean. reads: how often the
    array was read. missed: share of the devices that no reading found within the tolerance.
    """

    error: WriteError
    pulses: float
    reads: float
    missed: float


@torch.no_grad()
def measure_error(
    device: Device, *, used: float = 0.75, tolerance: float = 0.02, iterations: int = 20, rows: int = 9,
    devices: int = 4096, seed: int = 0,
) -> Measured:  # fmt: skip
    """Return the error of programming a device with verify, brought from any state to `rows` states of its window.

    used: share of the range of the mean device around weight 0 that is the window; the less, the fewer devices have
    bounds within it. tolerance: share of the window within which a reading is near enough; iterations: most readings
    that are followed by pulses. Each device is programmed twice: what its two errors have in common is d2d, the rest
    c2c, with d2d^2 + c2c^2 = 1 times the standard deviation in the table, which is rounded to 5 digits. Raises
    ConfigError for a device without bounds, or one that pulses can only raise.
    """
    array = None if device.unipolar else Array(ArraySettings(device), Place("programming error", (rows, devices), seed))
    if array is None or array.tile_list[0].bounds() is None:
        raise ConfigError(
            f"measure_error programs single devices, and {type(device).__name__} has no two bounds for pulses to go "
            "between; give a device that goes up and down between bounds"
        )
    window = 2.0 * used * float(array.reach[0])
    settings = Program(tolerance=tolerance * window / float(array.step_size[0]), iterations=iterations)
    x = torch.linspace(0.0, 1.0, rows)
    goal = ((x - 0.5) * window).reshape(1, rows, 1).expand(1, rows, devices).contiguous()
    tile, off, pulses, reads, missed = array.tile_list[0], [], 0.0, 0.0, 0.0
    for turn in range(2):
        xi = normals(tile.role_keys["evaluate"], tuple(goal.shape), turn)
        array.write_(0.5 * window * torch.erf(xi / 2**0.5))  # uniform in the window
        done = program_(array, goal, settings)
        off.append(((array.visible - goal) / window)[0].double().numpy())
        pulses += float(done.pulses[0]) / goal.numel() / 2
        reads += (1.0 + float(done.iterations[0])) / 2
        missed += float(done.missed[0]) / 2
    return Measured(_table(x.tolist(), off), round(pulses, 2), reads, round(missed, 4))


def _table(x: list[float], off: list[np.ndarray]) -> WriteError:
    """Return the error of which two programmings of the same devices, (rows, devices) each, are samples."""
    mean = np.mean(off, axis=(0, 2))
    first, second = (o - mean[:, None] for o in off)
    spread = np.sqrt((first**2 + second**2).mean(1) / 2)
    shared = min(1.0, max(0.0, float((first * second).mean() / (spread**2).mean())))
    d2d = round(shared**0.5, 3)
    rows = zip(x, mean.tolist(), spread.tolist(), strict=True)
    table = tuple((round(a, 5), round(m, 5), round(s, 5)) for a, m, s in rows)
    return WriteError("levels", c2c=round((1 - d2d**2) ** 0.5, 3), d2d=d2d, table=table)
