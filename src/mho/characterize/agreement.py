"""Whether a device's law does the same on every backend: small tiles pulsed by all of them, from the same states."""

from __future__ import annotations

import copy
import importlib.util
import re

import numpy as np
import torch
from torch import Tensor

from mho.characterize.properties import LeftOut, Problems
from mho.characterize.subject import Subject, chips_of
from mho.devices.base import Device
from mho.kernels import cpu, reference
from mho.kernels.cells import PURPOSES, Cells, Samples, Scheme
from mho.kernels.gpu.laws import law_assembly
from mho.kernels.translate import law_source, law_tables
from mho.random import make_key
from mho.tiles.tile import Tile

SHAPE = (5, 6)
"""Rows and columns of the tile."""
STEPS = 4
ROUNDING = 4e-6
"""Difference that exp, log, power and tanh may make in one update, relative to the largest state or step."""
_APPROXIMATE = re.compile(r"\b(exp|log|power|tanh)\(")
SCHEME = Scheme(bl=3)


def exact(device: Device) -> bool:
    """Return whether a law is arithmetic, which all backends round alike."""
    return not _APPROXIMATE.search(law_source(device.pulse, "law"))


def cpu_equals_reference(device: Device) -> Problems:
    """The CPU kernel moves the same devices to the same states as the NumPy reference; without pulses nothing moves."""
    tile = Tile(device, SHAPE, name="check", chips=tuple(range(chips_of(device))))
    cells = tile.cells()
    subject = Subject(device)
    low, high = float(np.median(subject.low)), float(np.median(subject.high))
    generator = np.random.default_rng(0)
    cells.state.copy_(torch.from_numpy(generator.uniform(low, high, cells.state.shape).astype(np.float32)))
    keys = [[make_key(0, c, "check", p) for p in PURPOSES] for c in tile.chips]
    for step in range(STEPS):
        samples = _samples(len(tile.chips), keys, step)
        other = copy.deepcopy(cells)
        before = _states(copy.deepcopy(cells))
        for backend, moved in ((cpu, cells), (reference, other)):
            with np.errstate(all="ignore"):
                backend.pulse_update_(moved, samples, SCHEME, backend.rates(samples, SCHEME), None)
        assert cells.counts is not None
        assert other.counts is not None
        if not torch.equal(cells.counts - other.counts, torch.zeros_like(cells.counts)):
            yield "the CPU kernel and the reference pulse different devices"
        still = torch.from_numpy(_silent(samples))
        for (name, mine), theirs, old in zip(
            _states(cells).items(), _states(other).values(), before.values(), strict=True
        ):
            yield from _differ(name, mine, theirs, exact=exact(device))
            if not torch.equal(mine[still.expand_as(mine)], old[still.expand_as(old)]):
                yield f"{name} of devices without a pulse changed"
            mine.copy_(theirs)


def torch_equals_numpy(device: Device) -> Problems:
    """The law gives on torch tensors what it gives on NumPy arrays, and has finite gradients there."""
    subject = Subject(device)
    state = subject.grid((0.3, 0.5, 0.7))
    for up in (True, False):
        given = subject.arguments(state, up, 0.5, subject.initial(state))
        tensors = [torch.from_numpy(np.array(a)) for a in given]
        tensors[0].requires_grad_()
        try:
            found = device.pulse(*tensors)
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            yield f"on torch tensors the law raises {type(error).__name__}: {error}; use the functions of mho.devices"
            return
        values = found if isinstance(found, tuple) else (found,)
        wanted = subject.law(state, up, 0.5, subject.initial(state))
        for name, value, array in zip(("w", *device.state), values, wanted, strict=True):
            want = torch.from_numpy(np.array(array))
            yield from _differ(name, torch.as_tensor(value).detach().expand_as(want), want, exact=False, whose="torch")
        if not values[0].requires_grad:
            yield "torch finds no gradient of the new state with respect to w; use the functions of mho.devices"
            return
        values[0].sum().backward()
        if tensors[0].grad is None or not bool(torch.isfinite(tensors[0].grad).all()):
            yield f"the gradient of the new state with respect to w is not finite for a pulse {'up' if up else 'down'}"


def compiles_for_gpus(device: Device) -> Problems:
    """The law compiles for GPUs."""
    if importlib.util.find_spec("triton") is None:
        raise LeftOut("Triton is not installed")
    subject = Subject(device)
    tables = law_tables(type(device))
    per_cell = tuple(n in tables or np.size(v) > subject.count for n, v in subject.cells.items())
    try:
        law_assembly(type(device), per_cell)
    except Exception as error:  # the compiler may raise anything
        yield f"Triton cannot compile the law ({type(error).__name__}: {str(error).strip().splitlines()[-1]})"


def _samples(chips: int, keys: list[list[tuple[int, int]]], step: int) -> Samples:
    """Return two samples that pulse about half of the devices; some rows and columns are silent."""
    generator = np.random.default_rng(step)
    x = generator.uniform(-1, 1, (chips, 2, SHAPE[1])).astype(np.float32)
    d = generator.uniform(-1, 1, (chips, 2, SHAPE[0])).astype(np.float32)
    x[..., step], d[..., step] = 0.0, 0.0
    words = torch.from_numpy(np.array(keys, np.uint32).view(np.int32))
    return Samples(torch.from_numpy(x), torch.from_numpy(d), torch.full((chips,), 3.0), words, step)


def _silent(samples: Samples) -> np.ndarray:
    """Return which devices (chips, 1, rows, columns) no sample can pulse."""
    x, d = (np.abs(v.numpy()).max(axis=1) == 0 for v in (samples.x, samples.d))
    return (d[:, :, None] | x[:, None, :])[:, None]


def _states(cells: Cells) -> dict[str, Tensor]:
    return {"w": cells.state} | cells.extra


def _differ(name: str, mine: Tensor, theirs: Tensor, *, exact: bool, whose: str = "the CPU kernel") -> Problems:
    """Yield the first element that differs by more than rounding."""
    room = 0.0 if exact else ROUNDING * max(1.0, float(theirs.abs().nan_to_num().max()))
    same = (mine == theirs) | ((mine - theirs).abs() <= room) | (mine.isnan() & theirs.isnan())
    if not bool(same.all()):
        at = tuple(int(i) for i in torch.nonzero(~same)[0])
        yield f"{name} becomes {float(mine[at]):.9g} by {whose}, but {float(theirs[at]):.9g} by NumPy"
