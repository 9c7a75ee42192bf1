"""Small tiles and samples for the kernel tests, and their comparison between backends."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch

from mho.devices.base import Device, law_arguments
from mho.devices.table import Table
from mho.kernels import cpu, reference
from mho.kernels.cells import PURPOSES, Cells, Samples, Scheme
from mho.random import make_key


class SpreadDraw:
    """A draw of d2d spreads with NumPy's generator, for tests that need devices to differ and no more."""

    def __init__(self, shape, seed=0):
        self.shape, self.generator = shape, np.random.default_rng(seed)

    def __call__(self, *spreads, correlation=0.0):
        values = []
        for s in spreads:
            mean, d2d, std = (np.asarray(v, np.float32).reshape(-1, 1, 1, 1) for v in (s.mean, s.d2d, s.std))
            xi = self.generator.standard_normal(self.shape).astype(np.float32)
            values.append(mean * np.exp(d2d * xi) if s.log_normal else mean * (1 + d2d * xi) + std * xi)
        return values[0] if len(values) == 1 else tuple(values)

    def folded(self, values, name):
        return np.abs(values)


def make_cells(device: Device, shape, *, seed=0, per_chip=(), **options) -> Cells:
    """Return a tile of devices in states around 0; `per_chip` names parameters given as one number a chip."""
    generator = np.random.default_rng(seed + 1)
    state = torch.from_numpy(generator.uniform(-0.2, 0.2, shape).astype(np.float32))
    arrays = device.cells(SpreadDraw(shape, seed))
    parameters = {}
    for name in law_arguments(type(device)):
        if isinstance(arrays[name], Table):
            parameters[name] = torch.from_numpy(arrays[name].over_chips(shape[0]).copy())
            continue
        value = np.asarray(arrays[name], np.float32)
        if value.ndim == 0 or name in per_chip:
            value = np.broadcast_to(value.reshape(-1)[:1], shape[:1])
        elif value.ndim == 4:
            value = np.broadcast_to(value, shape)
        parameters[name] = torch.from_numpy(np.array(value))
    totals = torch.zeros(shape[0], dtype=torch.int64)
    extra = {name: torch.full(shape, start) for name, start in device.state.items()}
    cells = Cells(type(device), state, parameters, totals, extra, gains=torch.ones(shape[1]))
    return with_options(cells, seed=seed, **options)


def with_options(cells, *, seed=0, counts=False, frozen=False, write_noise=0.0, visible=False, pair="none") -> Cells:
    """Add counters, faults, write noise, the sum over devices and the two sides of a pair to a tile."""
    shape = cells.state.shape
    generator = np.random.default_rng(seed + 2)
    if counts:
        cells.counts = torch.zeros(shape, dtype=torch.int32)
    if frozen:
        cells.frozen = torch.from_numpy((generator.random(shape) < 0.3).astype(np.uint8))
    if write_noise:
        cells.apparent, cells.write_noise = cells.state.clone(), torch.full(shape[:1], write_noise)
    if visible:
        cells.gains = torch.from_numpy(generator.uniform(-1, 1, shape[1]).astype(np.float32))
    if pair != "none":
        cells.gains = cells.gains.abs() * torch.tensor([1.0, -1.0]).repeat(shape[1] // 2)
        cells.paired, cells.one_sided = True, pair == "one-sided"
    if visible:
        read = cells.state if cells.apparent is None else cells.apparent
        total = torch.zeros(shape[0], *shape[2:])
        for k in range(shape[1]):
            total = total + cells.gains[k] * read[:, k]
        cells.offset = torch.from_numpy(generator.uniform(-0.1, 0.1, total.shape).astype(np.float32))
        cells.visible = total - cells.offset
    return cells


def make_keys(chips, *, seed=0, name="tile") -> torch.Tensor:
    """Return the keys of the chips (a number or a list of their numbers)."""
    numbers = range(chips) if isinstance(chips, int) else chips
    keys = [[make_key(seed, c, name, p) for p in PURPOSES] for c in numbers]
    return torch.from_numpy(np.array(keys, np.uint32).view(np.int32))


def make_samples(chips, batch, rows, columns, *, seed=0, gain=10.0, step=3, bias=False, silent=0.3) -> Samples:
    """Return samples with a share of zeros in x and d; `columns` counts the bias."""
    generator = np.random.default_rng(seed + 3)
    x = generator.uniform(-1, 1, (chips, batch, columns - bias)).astype(np.float32)
    d = (generator.standard_normal((chips, batch, rows)) * 0.3).astype(np.float32)
    x[generator.random(x.shape) < silent] = 0.0
    d[generator.random(d.shape) < silent] = 0.0
    gains = torch.full((chips,), gain) * (1 + 0.1 * torch.arange(chips))
    return Samples(torch.from_numpy(x), torch.from_numpy(d), gains, make_keys(chips, seed=seed), step, bias)


def choose(cells: Cells, samples: Samples, scheme: Scheme) -> torch.Tensor | None:
    """Return which device each sample pulses, or None for all."""
    chips, devices = cells.state.shape[0], cells.state.shape[1] // (1 + cells.paired)
    batch = samples.x.shape[1]
    if scheme.one_device == "all":
        return None
    if scheme.one_device == "turn":
        turn = (samples.step * batch + torch.arange(batch)) % devices
        return turn.to(torch.int32).repeat(chips, 1)
    chosen = [
        reference.draws(reference.key_of(samples, c, "device"), np.arange(batch), 0, 0, samples.step) % devices
        for c in range(chips)
    ]
    return torch.from_numpy(np.stack(chosen).astype(np.int32))


def updated(cells: Cells, samples: Samples, scheme: Scheme, backend=cpu) -> Cells:
    """Return a copy of the tile after one update on a backend."""
    cells = copy.deepcopy(cells)
    rates = backend.rates(samples, scheme)
    backend.pulse_update_(cells, samples, scheme, rates, choose(cells, samples, scheme))
    return cells


def arrays(cells: Cells) -> dict[str, np.ndarray]:
    """Return what an update may change, by name."""
    found = {"state": cells.state, "totals": cells.totals, **cells.extra}
    optional = {"counts": cells.counts, "apparent": cells.apparent, "visible": cells.visible}
    return {k: v.numpy() for k, v in (found | {k: v for k, v in optional.items() if v is not None}).items()}


def check_equal(one: Cells, other: Cells, *, atol: float = 0.0) -> None:
    """Fail unless two tiles are equal: whole numbers bit for bit, floats too unless `atol` is given."""
    a, b = arrays(one), arrays(other)
    assert a.keys() == b.keys()
    for name, value in a.items():
        if atol and value.dtype.kind == "f":
            np.testing.assert_allclose(value, b[name], rtol=0, atol=atol, err_msg=name)
        else:
            np.testing.assert_array_equal(value, b[name], err_msg=name)


def only_chip(cells: Cells, samples: Samples, chip: int) -> tuple[Cells, Samples]:
    """Return one chip's part of a tile and of the samples, as a tile and samples of one chip."""
    pick = slice(chip, chip + 1)

    def part(value):
        return value[pick].clone() if isinstance(value, torch.Tensor) else value

    fields = {k: part(v) for k, v in vars(cells).items() if k not in ("gains", "parameters", "extra")}
    mine = Cells(
        **fields,
        gains=cells.gains,
        parameters={k: part(v) for k, v in cells.parameters.items()},
        extra={k: part(v) for k, v in cells.extra.items()},
    )
    return mine, replace(
        samples, x=part(samples.x), d=part(samples.d), gain=part(samples.gain), keys=part(samples.keys)
    )
