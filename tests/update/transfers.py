"""The equations of the transfer family, vector by vector in slow NumPy, and learners with known devices."""

from __future__ import annotations

import numpy as np
import torch

from mho.devices import ConstantStep, Spread
from mho.periphery.settings import Periphery
from mho.tiles.cell import ArraySettings, Cell
from mho.tiles.place import Place
from mho.update.rule import Making
from mho.update.settings import Update

EXACT = Periphery(ideal=True)
IDEAL = Update(trains="ideal")


def even(dw=0.01, *, top=50.0, c2c=0.0):
    """Return a device of equal steps without spread."""
    none = {"d2d": 0.0}
    return ConstantStep(
        dw_min=Spread(dw, **none), up_down=Spread(1.0), w_max=Spread(top, **none), w_min=Spread(-top, **none), c2c=c2c
    )


def making(device=None, shape=(5, 7), *, chips=(0,), bias=False, update=IDEAL, seed=0, cell=None):
    return Making(device or even(), Place("block", shape, seed, chips), cell or Cell(), update, bias)


def fast(device=None, **cell):
    return ArraySettings(device or even(), Cell(**cell))


def learner(rule, made=None):
    """Return a learner at weight 0."""
    made = made or making()
    one = rule.learner(made)
    one.write_(torch.zeros(len(made.place.chips), *made.place.shape))
    return one


def samples(batch, shape=(5, 7), *, chips=1, seed=0, bias=False):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(chips, batch, shape[1] - bias, generator=generator) * 2 - 1
    return x, torch.randn(chips, batch, shape[0], generator=generator) * 0.3


def step_(one, x, d, lr=0.1, *, positions=1, bias=False, each=False):
    """Do one optimizer step: all vectors at once, or each sample in an update of its own."""
    size = positions if each else x.shape[1]
    for first in range(0, x.shape[1], size):
        part = slice(first, first + size)
        token = one.prepare(x[:, part], d[:, part], lr, bias=bias, first=first, positions=positions)
        one.apply_(token)
    one.rest_()


class Slow:
    """One chip: A, C and what lies between them, with exact updates of A and pulses of size dw on C.

    lines of A are columns; by rows everything is transposed. A period of 0 means no chopper.
    """

    def __init__(self, shape=(5, 7), *, alpha, beta, reads=1, every=1, gamma=0.0, dw=0.01, by="columns"):
        self.a, self.c, self.h = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.alpha, self.beta, self.reads, self.every, self.gamma, self.dw = alpha, beta, reads, every, gamma, dw
        self.flip = by == "rows"
        self.count = shape[0] if self.flip else shape[1]
        self.sign, self.visits = np.ones(self.count), np.zeros(self.count, int)
        self.units, self.line, self.period = 0, 0, 0
        self.offset = 0.0

    def move(self, values):
        """Return the change of C for what was read of a line; v1 moves in proportion."""
        return self.beta * values

    def vector(self, x, d):
        change = self.alpha * np.outer(d, x)
        self.a -= change * (self.sign[:, None] if self.flip else self.sign)

    def unit(self):
        self.units += 1
        if self.units % self.every == 0:
            for _ in range(self.reads):
                self.transfer(self.line)
                self.line = (self.line + 1) % self.count

    def transfer(self, j):
        a, c, h = (m.T if self.flip else m for m in (self.a, self.c, self.h))
        self.h_line = h[:, j]
        c[:, j] += self.move(self.sign[j] * self.relative(j, a[:, j] + self.offset))
        self.visits[j] += 1
        if self.period and self.visits[j] % self.period == 0:
            self.sign[j] *= -1
            self.switched(j)

    def relative(self, j, read):
        return read

    def switched(self, j):
        pass

    @property
    def visible(self):
        return self.c + self.gamma * self.a * (self.sign[:, None] if self.flip else self.sign)


class SlowBuffer(Slow):
    """v2: theta, momentum m and at most `most` pulses; forgets or keeps what is left."""

    theta, momentum, forget, most = 0.01, 0.1, True, 1

    def move(self, values):
        self.h_line += self.beta * values / self.theta
        pulses = np.clip(np.trunc(self.h_line), -self.most, self.most)
        if self.forget:
            self.h_line[pulses != 0] *= self.momentum
        else:
            self.h_line -= (1 - self.momentum) * pulses
        return self.dw * pulses


class SlowAverage(Slow):
    """Residual v2."""

    theta, momentum, most = 0.01, 0.9, 1

    def move(self, values):
        self.h_line[:] = self.momentum * self.h_line + (1 - self.momentum) * values
        return self.dw * np.clip(np.trunc(self.beta * self.h_line / self.theta), -self.most, self.most)


class SlowAgad(SlowBuffer):
    """AGAD: reads against the mean of the last period."""

    weight = 0.5

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.mean, self.past = [None] * self.count, [None] * self.count

    def relative(self, j, read):
        out = np.zeros_like(read) if self.past[j] is None else read - self.past[j]
        before = read if self.mean[j] is None else self.mean[j]
        self.mean[j] = before + self.weight * (read - before)
        return out

    def switched(self, j):
        self.past[j] = self.mean[j].copy()
