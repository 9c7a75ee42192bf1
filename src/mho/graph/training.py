"""A whole training step as one CUDA graph: launched at once, where Python would launch kernel after kernel."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mho.graph.checks import check_digital, graph_device
from mho.graph.counters import Counters
from mho.nn.layer import analog_layers
from mho.optim import AnalogOptimizer

WARM_UP = 3
"""Steps of a kind that run as usual before it is captured: kernels compile, libraries take their memory."""
OFTEN = 20
"""Captures after which a warning says that something changes all the time."""

Result = Tensor | tuple[Tensor, ...]
"""What a loss function returns: the loss, or a tuple that begins with it."""


class Recording(Protocol):
    """What was captured: `replay()` launches it again, on what its tensors then hold."""

    def replay(self) -> None:
        """Launch all kernels."""


class TrainingGraph:
    """A training step that is captured as a CUDA graph and replayed, with the pulses that it has step by step.

    `loss(*batch)` returns the loss, or a tuple that begins with it. Calling the graph with a batch does what `loss`,
    `backward()` and `optimizer.step()` do, and returns what `loss` returned, in tensors that the next call overwrites.
    The first three batches of a shape run step by step, then the step is captured; again when a learning rate, the
    model's mode or its tensors change. Draws are those of the run: what kernels draw for is the captured number of the
    step plus a tick on the device. Raises ConfigError for a model that is not on a CUDA device, that several processes
    train, that has a rule whose steps follow a timetable (Tiki-Taka and its kin, refresh), or whose digital optimizer
    counts on the host. NaN and infinity are found as in `AnalogOptimizer.step`.
    """

    def __init__(self, model: nn.Module, optimizer: AnalogOptimizer, loss: Callable[..., Result]) -> None:
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.device = graph_device(model)
        check_digital(optimizer)
        self.tiles = [tile for layer in analog_layers(model) for tile in layer.analog_tiles()]
        self.captured: dict[Any, _Captured] = {}
        self.seen: dict[Any, int] = {}
        self.captures = 0
        self.pool: Any = None

    def __call__(self, *batch: Tensor) -> Result:
        """Train on one batch; return what `loss` returned. Raises NotFiniteError as the optimizer does."""
        shapes = tuple((tuple(t.shape), t.dtype) for t in batch)
        kind = (shapes, self._moment())
        found = self.captured.get(kind)
        if found is None:
            self.seen[shapes] = self.seen.get(shapes, 0) + 1
            if self.seen[shapes] <= WARM_UP:
                with _aside(self.device):
                    return self.step(*batch)
            found = self.captured[kind] = self._capture(kind, batch)
        result = found(batch)
        torch.autograd.graph.increment_version([tile.state for tile in self.tiles])  # copies of weights are old now
        self.optimizer.stepped()
        return result

    def step(self, *batch: Tensor) -> Result:
        """Train on one batch without a graph."""
        result = self.loss(*batch)
        self.optimizer.zero_grad()
        (result[0] if isinstance(result, tuple) else result).backward()
        self.optimizer.step()
        return result

    def _moment(self) -> Any:
        """Return what a capture has taken for fixed: rates, modes, and which tensors there are."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        tensors = tuple(id(buffer) for tile in self.tiles for buffer in tile._buffers.values())
        return tuple(tuple(r) if isinstance(r, list) else r for r in rates), self.model.training, tensors

    def _capture(self, kind: Any, batch: tuple[Tensor, ...]) -> _Captured:
        self.captures += 1
        if self.captures == OFTEN:
            warnings.warn(
                f"the training step was captured {OFTEN} times; a learning rate or a batch shape that changes all the "
                "time makes a graph slower than plain steps: change the rate once an epoch, or step without a graph",
                stacklevel=3,
            )
        for other in [other for other in self.captured if other[1] != kind[1]]:  # a moment that passed is over
            del self.captured[other]
        return _Captured(self, batch)

    def record(self, step: Callable[[], None]) -> Recording:
        """Capture what `step` launches; none of it is done."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            step()
        self.pool = graph.pool()
        return graph


class _Captured:
    """A captured step, the tensors that its kernels read a batch from, and the counters that it moves."""

    def __init__(self, owner: TrainingGraph, batch: tuple[Tensor, ...]) -> None:
        self.batch = tuple(t.clone() for t in batch)
        self.counters = Counters(owner.model, owner.device)
        self.result: Result = ()
        with self.counters.captured():
            self.recording = owner.record(lambda: self._step(owner))

    def _step(self, owner: TrainingGraph) -> None:
        result = owner.step(*self.batch)
        self.result = tuple(t.detach() for t in result) if isinstance(result, tuple) else result.detach()
        self.counters.end()

    def __call__(self, batch: tuple[Tensor, ...]) -> Result:
        for own, given in zip(self.batch, batch, strict=True):
            own.copy_(given)
        self.counters.pass_()
        self.recording.replay()
        return self.result


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """Run on a stream of its own, in order with the current one, as work before a capture must."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
