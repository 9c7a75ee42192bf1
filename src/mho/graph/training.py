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
    The first three batches of a shape run step by step, then the step is captured; when a learning rate, the model's
    mode or its tensors change, after one more such batch again. Draws are those of the run: what kernels draw for is
    the captured number of the step plus a tick on the device. Raises ConfigError for a model that is not on a CUDA
    device, that several processes train, that has a rule whose steps follow a timetable (Tiki-Taka and its kin,
    refresh), or whose digital optimizer counts on the host. NaN and infinity are found as in `AnalogOptimizer.step`.
    """

    def __init__(self, model: nn.Module, optimizer: AnalogOptimizer, loss: Callable[..., Result]) -> None:
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self._device = graph_device(model)
        check_digital(optimizer)
        self._tiles = [tile for layer in analog_layers(model) for tile in layer.analog_tiles()]
        self._captured: dict[Any, _Captured] = {}
        self._seen: dict[Any, int] = {}
        self._moments: dict[Any, Any] = {}
        self.captures = 0
        self._stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None

    def __call__(self, *batch: Tensor) -> Result:
        """Train on one batch; return what `loss` returned. Raises NotFiniteError as the optimizer does."""
        shapes = tuple((tuple(t.shape), t.dtype) for t in batch)
        moment = self._moment()
        kind = (shapes, moment)
        found = self._captured.get(kind)
        if found is None:
            self._seen[shapes] = self._seen.get(shapes, 0) + 1
            # Of every rate, too: what is kept on the device for it cannot be copied there while a step is captured.
            if self._seen[shapes] <= WARM_UP or self._moments.get(shapes) != moment:
                self._moments[shapes] = moment
                with self._aside():  # copies, as the captured step has: of their alignment Triton makes kernels
                    return _detached(self.step(*(t.clone() for t in batch)))
            found = self._captured[kind] = self._capture(kind, batch)
        result = found(batch)
        torch.autograd.graph.increment_version(found.moved)  # copies of weights are old now
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
        return tuple(tuple(r) if isinstance(r, list) else r for r in rates), self.model.training, self._places()

    def _places(self) -> tuple[int, ...]:
        """Return which tensors the layers have: those of tiles, and the fuses, which another optimizer may replace."""
        tensors = (buffer for tile in self._tiles for buffer in tile._buffers.values())
        return *map(id, tensors), *(id(tile.fuse and tile.fuse.flags) for tile in self._tiles)

    def _capture(self, kind: Any, batch: tuple[Tensor, ...]) -> _Captured:
        check_digital(self.optimizer)
        self.captures += 1
        if self.captures == OFTEN:
            warnings.warn(
                f"the training step was captured {OFTEN} times; a learning rate or a batch shape that changes all the "
                "time makes a graph slower than plain steps: change the rate once an epoch, or step without a graph",
                stacklevel=3,
            )
        for other in [other for other in self._captured if other[1] != kind[1]]:  # a moment that passed is over
            del self._captured[other]
        return _Captured(self, batch)

    def record(self, step: Callable[[], None]) -> Recording:
        """Capture what `step` launches; none of it is done."""
        graph = torch.cuda.CUDAGraph()
        # Memory is shared with a graph that lives: torch refuses that of one that does not.
        pool = next((c.recording.pool() for c in self._captured.values()), None)  # type: ignore[attr-defined]
        with torch.cuda.device(self._device), torch.cuda.graph(graph, pool=pool, stream=self._stream):
            step()
        return graph

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Run on a stream of its own, in order with the current one, as work before a capture must."""
        if self._stream is None:
            yield
            return
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)


class _Captured:
    """A captured step, the tensors that its kernels read a batch from, and the counters that it moves.

    moved: what tells versions of the weights that it changes. held: tensors that its kernels read or write, kept for
    as long as they may be launched, so that no other tensor gets their places or names.
    """

    def __init__(self, owner: TrainingGraph, batch: tuple[Tensor, ...]) -> None:
        self.batch = tuple(t.clone() for t in batch)
        blocks = (block for layer in analog_layers(owner.model) for block in layer.analog_blocks())
        self.moved = [*(tile.state for tile in owner._tiles), *(block.weights for block in blocks)]
        self.held = [(tile.fuse, *tile._buffers.values()) for tile in owner._tiles]
        self.counters = Counters(owner.model, owner._device)
        self.result: Result = ()
        with self.counters.captured():
            self.recording = owner.record(lambda: self._step(owner))

    def _step(self, owner: TrainingGraph) -> None:
        self.result = _detached(owner.step(*self.batch))
        self.counters.end()

    def __call__(self, batch: tuple[Tensor, ...]) -> Result:
        for own, given in zip(self.batch, batch, strict=True):
            own.copy_(given)
        self.counters.pass_()
        self.recording.replay()
        return self.result


def _detached(result: Result) -> Result:
    """Return results without the way that they were made: it would hold a stream, and memory of a graph."""
    return tuple(t.detach() for t in result) if isinstance(result, tuple) else result.detach()
