"""Train by a graph whose kernels Triton's interpreter runs, and step by step; run as a script by test_training_graph.

What stands for a CUDA graph here does what one does: it takes the Python numbers of the captured step for ever, and
reads tensors anew at each replay.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from kernels.interpreting import hasten
from mho.devices import Leak, SoftBounds
from mho.graph.training import WARM_UP


class Again:
    """Runs a step again and again with the numbers that it had when it was captured."""

    def __init__(self, graph: mho.TrainingGraph, step: Callable[[], None]) -> None:
        self.graph, self.step = graph, step
        kept = [copy.deepcopy(t) for t in self._tensors()]
        self.modules = [m for m in graph.model.modules() if hasattr(m, "ticks")]
        self.numbers = [m.counted() for m in self.modules]
        self.ticks = [m.ticks for m in self.modules]
        step()
        for own, before in zip(self._tensors(), kept, strict=True):  # a capture moves nothing
            own.copy_(before)

    def _tensors(self) -> list[Tensor]:
        model = self.graph.model
        return [t.data for t in (*model.parameters(), *model.buffers()) if t.numel()]

    def replay(self) -> None:
        now = [m.counted() for m in self.modules]
        for module, numbers, ticks in zip(self.modules, self.numbers, self.ticks, strict=True):
            module.count_(numbers)
            module.ticks = ticks
        self.step()
        for module, numbers in zip(self.modules, now, strict=True):
            module.count_(numbers)
            module.ticks = None


class Trial(mho.TrainingGraph):
    """A graph that is replayed by running its step again."""

    def record(self, step: Callable[[], None]) -> Again:
        return Again(self, step)


def make() -> tuple[nn.Module, mho.optim.AnalogSGD]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.3), nn.Linear(5, 3))
    device = SoftBounds(dw_min=0.01, write_noise=0.1, leak=Leak(lifetime=50.0), diffusion=0.01)
    config = mho.preset("gokmen-2017").with_(device=device)
    model = mho.convert_to_analog(net, config, chips=1, seed=1)
    mho.set_backend(model, "gpu")
    return model, mho.optim.AnalogSGD(model.parameters(), lr=0.1)


def main() -> None:
    hasten()
    (model, optimizer), (plain, other) = make(), make()
    generator = torch.Generator().manual_seed(2)
    batches = [
        (torch.randn(3, 4, generator=generator), torch.randint(0, 3, (3,), generator=generator)) for _ in range(8)
    ]

    def loss_of(own: nn.Module) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        def loss(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            out = own(x)
            return F.cross_entropy(out, y, reduction="sum"), out

        return loss

    graph, steps = Trial(model, optimizer, loss_of(model)), Trial(plain, other, loss_of(plain))
    for number, (x, y) in enumerate(batches):
        ours = graph(x, y)
        theirs = steps.step(x, y)
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b.detach(), rtol=0, atol=0)
        if number == WARM_UP + 1:  # a step from elsewhere in between, and an evaluation
            graph.step(*batches[0])
            steps.step(*batches[0])
            for own in (model, plain):
                own.eval()
                own(x)
                own.train()
        if number == WARM_UP + 2:
            for own in (optimizer, other):
                own.param_groups[0]["lr"] = 0.05
        _equal(model, plain)
    assert graph.captures == 2, graph.captures
    print("equal", flush=True)


def _equal(model: nn.Module, plain: nn.Module) -> None:
    for (name, ours), theirs in zip(model.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, msg=name)


if __name__ == "__main__":
    main()
