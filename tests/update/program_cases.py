"""Arrays, learners and steps that tests of closed-loop programming and of its rules share."""

from __future__ import annotations

import torch

from mho.devices import ConstantStep, UnipolarSoftBounds
from mho.tiles.array import Array
from mho.tiles.cell import ArraySettings, Cell
from mho.tiles.place import Place
from mho.update.rule import Making
from mho.update.settings import Update

SIZE = (12, 20)
PULSES = Update()
SINGLE, PAIR = Cell(), Cell(pair="one-sided")


def ideal(dw=0.001, top=1.0, **fields):
    """Return a device whose steps are all alike, without spread or noise."""
    return ConstantStep(dw_min=dw, up_down=1.0, w_max=top, w_min=-top, c2c=0.0, **fields)


def rising(dw=0.002, **fields):
    """Return a device that pulses can only raise, without spread or noise."""
    return UnipolarSoftBounds(dw_min=dw, w_max=1.0, c2c=0.0, **fields)


def made(device, cell=SINGLE, *, size=SIZE, chips=(0,), name="array", seed=3):
    return Array(ArraySettings(device, cell), Place(name, size, seed, chips))


def targets(array, share=0.6, seed=5):
    """Return weights that are uniform within a share of what the array reaches, the same on all chips."""
    size = array.visible.shape
    random = torch.rand(size[1:], generator=torch.Generator().manual_seed(seed))
    return ((2 * random - 1) * share * float(array.reach.min())).expand(size).contiguous()


def learner(rule, device, cell=SINGLE, *, size=SIZE, chips=(0,), bias=False, update=PULSES, name="block"):
    return rule.learner(Making(device, Place(name, size, 3, chips), cell, update, bias))


def samples(count, size=SIZE, chips=1, *, seed=0, bias=False):
    """Return x and d of `count` steps of one sample each, of the same values on every chip."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 1, 1, size[1] - bias, generator=generator) * 2 - 1
    d = torch.randn(count, 1, 1, size[0], generator=generator)
    return x.expand(-1, chips, -1, -1).contiguous(), d.expand(-1, chips, -1, -1).contiguous()


def step_(one, x, d, lr, *, bias=False, positions=1):
    """Run an optimizer step of a learner: x (chips, vectors, columns), d (chips, vectors, rows)."""
    one.apply_(one.prepare(x, d, lr, bias=bias, first=0, positions=positions))
    one.rest_()


def held(module):
    """Return a copy of all that a module would save."""
    return {key: value.clone() for key, value in module.state_dict().items()}


def assert_same(one, other):
    a, b = one.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    different = [key for key in a if not torch.equal(a[key], b[key])]
    assert not different, different


def chip_of(module, chip):
    """Return what a module holds of one chip, where a buffer has chips; clocks are the same on all of them."""
    found = {k: v for k, v in module.state_dict().items() if v.dim() >= 3 or k.endswith(("totals", "resets"))}
    return {k: v[chip] for k, v in found.items() if v.shape[0] > chip}
