"""One training step: step by step, or on a GPU as a CUDA graph that is launched at once."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from mho.errors import MhoError
from mho.nn.layer import AnalogLayer, analog_layers
from mho.optim import AnalogOptimizer
from mho.train.tally import Errors

if TYPE_CHECKING:
    from mho.graph import TrainingGraph


class Steps:
    """Training steps whose loss is the cross entropy summed over the batch and the chips."""

    def __init__(self, model: nn.Module, optimizer: AnalogOptimizer) -> None:
        self.model, self.optimizer = model, optimizer

    def __call__(self, x: Tensor, y: Tensor, errors: Errors | None = None) -> Tensor:
        """Train on inputs and labels; return the outputs. errors: notes the errors d of this step."""
        loss, out = self.loss(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        if errors is not None:
            self.optimizer.gather()
            errors.take()
        self.optimizer.step()
        return out.detach()

    def loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return loss and outputs."""
        out = self.model(x)
        return F.cross_entropy(out, y, reduction="sum"), out


class GraphSteps(Steps):
    """The same steps as a CUDA graph; those whose errors are noted are done step by step.

    All are where a step cannot be captured, as with a network that looks at numbers in its forward pass.
    """

    def __init__(self, model: nn.Module, optimizer: AnalogOptimizer) -> None:
        from mho.graph import TrainingGraph

        super().__init__(model, optimizer)
        self.graph: TrainingGraph | None = TrainingGraph(model, optimizer, self.loss)

    def __call__(self, x: Tensor, y: Tensor, errors: Errors | None = None) -> Tensor:
        """Train on inputs and labels; return the outputs. Warns once where the step cannot be captured."""
        if errors is None and self.graph is not None:
            try:
                return self.graph(x, y)[1].clone()  # the next step overwrites it
            except RuntimeError as error:
                if isinstance(error, MhoError) or "captur" not in str(error).lower():
                    raise
                self.graph = None  # nothing was done yet
                why = str(error).strip().splitlines()[0]
                warnings.warn(
                    f"the training step could not be captured as a CUDA graph ({why}), so the run goes on step by "
                    "step, with the same pulses; a network that looks at numbers in its forward pass cannot be "
                    "captured. With --set cuda_graphs=false nothing is tried",
                    stacklevel=2,
                )
        return super().__call__(x, y, errors)


def stepper(model: nn.Module, optimizer: AnalogOptimizer, *, graphs: bool) -> Steps:
    """Return the steps of a model: as a CUDA graph where that is asked for, and possible on its device by its rules."""
    layers = analog_layers(model)
    if graphs and _on_gpu(layers) and all(layer.ranks is None for layer in layers) and _steady(layers):
        return GraphSteps(model, optimizer)
    return Steps(model, optimizer)


def _on_gpu(layers: list[AnalogLayer]) -> bool:
    return bool(layers) and layers[0].analog_tiles()[0].state.is_cuda


def _steady(layers: list[AnalogLayer]) -> bool:
    """Return whether every step launches the same kernels: not with rules that follow a timetable."""
    return all(block.steady for layer in layers for block in layer.analog_blocks())
