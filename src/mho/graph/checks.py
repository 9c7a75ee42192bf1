"""What can be captured: why a model or its optimizer cannot, said before anything is done."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mho.errors import ConfigError
from mho.kernels.backend import resolve
from mho.nn.layer import AnalogLayer, analog_layers
from mho.optim import AnalogOptimizer


def graph_device(model: nn.Module) -> torch.device:
    """Return the device of a model whose training step can be captured; raise ConfigError for another model."""
    layers = analog_layers(model)
    if not layers:
        raise ConfigError("a TrainingGraph was asked for a model that has no analog layers; call mho.convert_to_analog")
    state = layers[0].analog_tiles()[0].state
    if resolve(layers[0].analog_tiles()[0].backend, state) != "gpu":
        raise ConfigError(
            f"a TrainingGraph was asked for a model on {state.device}, but CUDA graphs replay work on a GPU; move the "
            'model with model.to("cuda"), or step without a graph'
        )
    for layer in layers:
        _check_layer(layer)
    return state.device


def _check_layer(layer: AnalogLayer) -> None:
    if layer.ranks is not None:
        raise ConfigError(
            f"layer {layer.name!r} is trained by several processes, which exchange samples between the backward pass "
            "and the pulses; a graph cannot hold that: step without a TrainingGraph"
        )
    for block in layer.analog_blocks():
        if not block.steady:
            raise ConfigError(
                f"layer {layer.name!r} is trained by {type(layer.config.rule).__name__}"
                f"{' with refresh' if layer.config.cell.refresh is not None else ''}, whose steps differ from each "
                "other (which lines are read or refreshed follows a timetable), but a graph repeats one step; step "
                "without a TrainingGraph, or train with the rule Pulsed"
            )


def check_digital(optimizer: AnalogOptimizer) -> None:
    """Raise ConfigError for a digital optimizer that keeps its step on the host, as far as it has one yet."""
    if optimizer.digital is None:
        return
    name = f"torch.optim.{type(optimizer.digital).__name__}"
    if any(group.get("capturable") is False for group in optimizer.digital.param_groups):
        raise ConfigError(
            f"a TrainingGraph was asked for digital parameters under {name}, which counts its steps on the host; give "
            f"AnalogOptimizer({name}, ..., capturable=True)"
        )
    steps = [state["step"] for state in optimizer.digital.state.values() if "step" in state]
    if not all(isinstance(step, Tensor) and step.is_cuda for step in steps):
        raise ConfigError(
            f"a TrainingGraph was asked for digital parameters under {name}, which counts its steps on the host, where "
            "a graph never counts, and has no way to count on the device; take another optimizer (torch.optim.Adam "
            "with capturable=True), or step without a graph"
        )
