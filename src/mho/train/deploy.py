"""A trained model put on other chips for inference: its weights as they are, its converters, no learning rule."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from mho.config import AnalogConfig, override
from mho.config.fields import hints, is_per_chip
from mho.devices import ConstantStep, Spread
from mho.errors import ConfigError
from mho.nn import AnalogLayer, convert_to_analog, convert_to_digital
from mho.nn.convert import PLAIN_KINDS
from mho.nn.grid import Grid
from mho.nn.layer import analog_layers
from mho.update.settings import Update

S = TypeVar("S")


def deployed(
    model: nn.Module, place: int, *, chips: Sequence[int], seed: int = 0, settings: Sequence[str] = ()
) -> nn.Module:
    """Return a model on `chips` that all hold the weights of one chip of a trained model, for `mho.program`.

    place: of that chip among those of the model. Every layer keeps its converters, the layout on arrays, and its
    digital factors; a device of a weight has no spread and the reach of the mean device that was trained, beyond which
    weights are kept, too. settings: changes of every layer's converters, such as "forward.adc_bits=6". Raises
    ConfigError for impossible ones, and for changes of anything else: the weights were trained with it.
    """
    if others := [text for text in settings if text.strip().partition(".")[0] != "forward"]:
        raise ConfigError(
            f"{', '.join(others)} was asked for, but only the converters (forward.*) of trained layers can be changed: "
            "the layout of their weights on arrays is that of the training; leave it out, or train with it"
        )
    trained = {layer.name: layer for layer in analog_layers(model)}
    layers = {}
    for name, layer in trained.items():
        config = override(_for_inference(layer, place), settings)
        layers[glob.escape(name)] = {"device": config.device, "forward": config.forward, "mapping": config.mapping}
    plain = convert_to_digital(model, place)
    digital = [glob.escape(n) for n, m in plain.named_modules() if n and n not in trained and type(m) in PLAIN_KINDS]
    changes: Any = layers
    config = AnalogConfig(update=Update(trains="ideal"), layers=changes)
    made = convert_to_analog(plain, config, chips=list(chips), seed=seed, exclude=digital)
    for layer in analog_layers(made):
        for grid, source in zip(layer.grid_list, trained[layer.name].grid_list, strict=True):
            _hold(grid, source, place)
    return made


def _for_inference(layer: AnalogLayer, place: int) -> AnalogConfig:
    """Return the settings of a layer on chips that do not learn: those of one chip, where they are lists over chips."""
    grid = layer.grid_list[0]
    reach = float(grid.block_list[0].reach[place])
    device = ConstantStep(
        dw_min=Spread(reach / 1000), up_down=Spread(1.0), w_max=Spread(reach), w_min=Spread(-reach), c2c=0.0
    )
    scaling: Any = "none" if grid.factor() is None else "fixed"
    layout = replace(layer.config.mapping, scaling=scaling, scale=1.0, learn_scale=False, count_pulses=False)
    forward = _of_chip(layer.config.forward, place)
    return AnalogConfig(device=device, forward=forward, mapping=layout, update=Update(trains="ideal"))


def _of_chip(settings: S, place: int) -> S:
    """Return settings with the value of one chip wherever there is a list of one for each."""
    changes: dict[str, Any] = {}
    for name, hint in hints(type(settings)).items():
        value = getattr(settings, name)
        if isinstance(value, tuple) and is_per_chip(hint):
            changes[name] = value[place] if len(value) > 1 else value[0]
    return replace(settings, **changes)  # type: ignore[type-var]


@torch.no_grad()
def _hold(grid: Grid, source: Grid, place: int) -> None:
    """Let all chips of a grid show what one chip of another shows, with the same digital factors and running scales."""
    factor = source.factor()
    if factor is not None and grid.scale is not None:
        grid.scale.copy_(factor[place].expand_as(grid.scale))
    for product, followed in zip(grid.forward_products, source.forward_products, strict=True):
        product.running.copy_(followed.running[place].expand_as(product.running))
    for block, trained in zip(grid.block_list, source.block_list, strict=True):
        tile = block.tile_list[0]
        tile.state.copy_(trained.visible[place].expand_as(tile.state))  # also beyond the bounds of the mean device
        tile.show_()
