"""Learn by a rule of your own: residual learning that tracks, while it learns, where its fast array rests.

    python examples/own_rule.py
    mho train --data digits --rule examples/own_rule.py:Rider

A rule is a frozen dataclass of settings that composes a learner of parts; one part here is new, `Tracking`. The weights
are W + gamma c (P - Q): samples pulse the fast array P with the signs c of a chopper, reads of P against Q move W, and
Q follows the reads. As the signal changes its sign with the chopper and the rest does not, Q becomes what P shows
without signal: the symmetry points of its devices, which nobody has measured. After Xiao et al., arXiv 2602.21321
(2026).

The devices have steps up that are 1.2 times those down, and the fast array is read against references that are off by
0.3 of a weight. Expect plain pulses to end far below the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from mho.devices import SoftBounds, Spread
from mho.tiles import ArraySettings, Cell
from mho.update import Learner, Making, Rule
from mho.update.pulsed import Pulsed
from mho.update.settings import Update
from mho.update.transfer import Chopper, Schedule, Speeds
from mho.update.transfer import parts as p
from mho.update.transfer.checks import TRANSFER_READ


class Tracking(nn.Module):
    """A reference Q that follows the reads of every line: Q <- Q + eta (read - Q). Buffers survive a kill."""

    values: Tensor

    def __init__(self, eta: float, chips: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.eta = eta
        self.register_buffer("values", torch.zeros(chips, *size))  # (chips, lines, cells of a line)

    def relative(self, lines: p.Lines, read: Tensor, switched: Tensor | None) -> Tensor:
        """Return what was read of some lines less Q, and let Q follow it."""
        difference = read - lines.of(self.values)
        lines.put(self.values, lines.of(self.values) + self.eta * difference)
        return difference


@dataclass(frozen=True)
class Rider(Rule):
    """P <- P - alpha c sum d x^T by pulses; W <- W + beta c (read(P) - Q) by pulses; Q <- Q + eta (read(P) - Q)."""

    fast_lr: float = 1.0
    transfer_lr: float = 10.0
    gamma: float = 0.1
    eta: float = 0.05
    chopper: Chopper = field(default_factory=lambda: Chopper(0.05))
    schedule: Schedule = field(default_factory=Schedule)
    fast: ArraySettings | None = None

    def learner(self, making: Making) -> Learner:
        """Return the learner of one block of a weight matrix."""
        pair, by = p.Pair(making, self.fast, self.schedule), self.schedule.by
        parts = p.Parts(
            Speeds(self.fast_lr, transfer_lr=self.transfer_lr),
            p.Reader(pair.fast, TRANSFER_READ, by),
            p.Trains(pair.weight, Update(), by),
            chopper=p.Signs(self.chopper, pair.place, pair.size[0]),
            estimate=Tracking(self.eta, len(pair.place.chips), pair.size),
            gamma=self.gamma,
        )
        return p.TransferLearner(pair, parts)


def train(rule: Rule, epochs: int = 5) -> float:
    """Return the test accuracy in percent of a small network on the digits."""
    torch.manual_seed(0)
    digits = mho.data.load("digits")
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.Sigmoid(), nn.Linear(128, 10))
    device = SoftBounds(dw_min=0.005, up_down=1.2, w_max=Spread(0.8, d2d=0.2), w_min=Spread(-0.8, d2d=0.2))
    model = mho.convert_to_analog(net, mho.preset("gokmen-2017").with_(device=device, rule=rule), seed=1)
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.02)
    for _ in range(epochs):
        for x, y in zip(digits.train_x.split(10), digits.train_y.split(10), strict=True):
            loss = F.cross_entropy(model(x), y, reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = (model.eval()(digits.test_x).argmax(1) == digits.test_y).float().mean()
    return 100 * float(right)


def main() -> None:
    """Train by plain pulses and by the rule above, whose fast array has references that are off."""
    device = SoftBounds(dw_min=0.005, w_max=Spread(0.8, d2d=0.2), w_min=Spread(-0.8, d2d=0.2))
    off = ArraySettings(device, Cell(reference="device", reference_value=Spread(0.0, std=0.3)))
    for rule in (Pulsed(), Rider(fast=off)):
        print(f"{type(rule).__name__:6} test accuracy {train(rule):.2f} %", flush=True)


if __name__ == "__main__":
    main()
