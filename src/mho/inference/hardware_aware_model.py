"""Hardware-aware training of plain torch models: what of a chip they see, put into their layers and taken out again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mho.errors import ConfigError, ConversionError, nearest
from mho.inference.hardware_aware_layers import AwareSignals, AwareWeight, Converter
from mho.inference.hardware_aware_settings import HardwareAware
from mho.nn.convert import PLAIN_KINDS
from mho.nn.modes import evaluating

SIGNALS = "signals"
"""The name under which a layer holds its converters."""


class Aware:
    """A model in hardware-aware training; made anew from any such model, also from a deepcopy or after loading."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.layers = {name: m for name, m in model.named_modules() if _weight_of(m) is not None}
        if not self.layers:
            raise ConversionError(
                f"{type(model).__name__} is in no hardware-aware training; call "
                "mho.inference.hardware_aware(model, HardwareAware(...)) first"
            )

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor], *, quantile: float = 1.0) -> None:
        """Set the ranges of converters from what they see of `batches` of inputs, without any conversion.

        quantile: of abs(x), from above 0 to 1; 1 is the largest. All ranges that are "calibrated" or "learned" are set
        anew, or none. Raises ConfigError without a batch, or for an impossible quantile, NotFiniteError for NaN.
        """
        if not 0 < quantile <= 1:
            raise ConfigError(f"quantile is a share of the inputs, above 0 and at most 1, found {quantile}")
        converters = [one for layer in self.layers.values() for one in _converters(layer) if one.begins]
        count = 0
        for one in converters:
            one.look(quantile)
        try:
            with evaluating(self.model):
                for x in batches:
                    self.model(x)
                    count += 1
        finally:
            seen = [one.stop() for one in converters]
        unseen = [one.where for one, values in zip(converters, seen, strict=True) if not values]
        if unseen:
            raise ConfigError(
                f"calibration was asked for {len(converters)} ranges, but {count} batches did not reach "
                f"{', '.join(unseen)}; give some training images, as the model takes them"
            )
        ranges = [one.range_of(values) for one, values in zip(converters, seen, strict=True)]
        for one, reach in zip(converters, ranges, strict=True):
            one.set_(reach)

    def set_eval_noise(self, noisy: bool) -> None:
        """Let weights be noisy in evaluation mode too, with fresh noise for every batch, or no longer."""
        for layer in self.layers.values():
            weight = _weight_of(layer)
            assert weight is not None
            weight.noise_in_eval = noisy

    def ranges(self) -> dict[str, dict[str, float]]:
        """Return by layer the range of its "inputs" and "outputs", where it is fixed, calibrated or learned."""
        return {
            name: {one.side: float(one.reach.detach()) for one in _converters(layer) if one.kind != "batch"}
            for name, layer in self.layers.items()
        }

    @torch.no_grad()
    def remove(self) -> nn.Module:
        """Return the model with plain layers again: the trained weights, clipped, neither rounded nor noisy."""
        for layer in self.layers.values():
            aware = _weight_of(layer)
            assert aware is not None
            was, aware.training = aware.training, True
            aware.held(_original(layer))
            aware.training = was
            _unhook(layer, (aware, getattr(layer, SIGNALS, None)))
            layer._modules.pop(SIGNALS, None)
            _plain(layer)
        self.layers = {}
        return self.model


def hardware_aware(
    model: nn.Module, settings: HardwareAware, *, seed: int = 0, exclude: Sequence[str] = ()
) -> Aware:  # fmt: skip
    """Let a plain torch model see the hardware while it is trained, and return what takes it out again.

    All Linear and Conv layers change, in place (not their subclasses, which `convert_to_analog` leaves digital): their
    `weight` becomes a torch parametrization, and converters stand before and behind them. The optimizer must be made
    afterwards (a learned range is a parameter), and may be any. The
    noise of a training batch follows from (seed, name of the layer, number of the batch) and is none that a chip of
    `mho.program` ever draws. exclude: name patterns of layers that stay as they are. deepcopy and state_dict work, and
    `Aware(model)` returns the handle of a copy.
    Raises ConversionError for a model without such layers or one in hardware-aware training already, and ConfigError
    for a pattern that matches nothing.
    """
    chosen = _chosen(model, (exclude,) if isinstance(exclude, str) else tuple(exclude))
    for name, layer in chosen.items():
        weight = AwareWeight(settings, layer.weight, name=name, seed=seed).train(layer.training)
        signals = AwareSignals(settings, name=name).to(layer.weight.device).train(layer.training)
        parametrize.register_parametrization(layer, "weight", weight, unsafe=True)  # safe would draw to see the shape
        layer.register_forward_pre_hook(weight.begin)
        if list(signals.children()):
            layer.add_module(SIGNALS, signals)
            layer.register_forward_pre_hook(signals.before)
            layer.register_forward_hook(signals.behind)
    return Aware(model)


def _chosen(model: nn.Module, exclude: tuple[str, ...]) -> dict[str, Any]:
    modules = model.named_modules()
    found = {name or "model": m for name, m in modules if type(m) in PLAIN_KINDS or _weight_of(m) is not None}
    if not found:
        raise ConversionError(
            f"hardware-aware training was asked for {type(model).__name__}, which has no Linear or Conv layer, so "
            "there is no weight to vary; give the plain torch model, before convert_to_analog"
        )
    if any(_weight_of(m) is not None for m in found.values()):
        raise ConversionError(
            f"{type(model).__name__} is in hardware-aware training already, and twice would add noise to noise; call "
            "mho.inference.Aware(model).remove() first"
        )
    for pattern in exclude:
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ConfigError(f"exclude pattern {pattern!r} matches no layer; {nearest(pattern, found)}")
    return {name: m for name, m in found.items() if not any(fnmatchcase(name, pattern) for pattern in exclude)}


def _converters(layer: nn.Module) -> list[Converter]:
    signals = getattr(layer, SIGNALS, None)
    return [] if signals is None else [one for one in signals.children() if isinstance(one, Converter)]


def _weight_of(layer: nn.Module) -> AwareWeight | None:
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    return next((p for p in layer.parametrizations.weight if isinstance(p, AwareWeight)), None)  # type: ignore[union-attr]


def _original(layer: nn.Module) -> Tensor:
    held: Any = layer.parametrizations
    weight: Tensor = held["weight"].original
    return weight


def _plain(layer: nn.Module) -> None:
    """Take a layer's only parametrization away.

    Not with torch's own function, which changes the class that a deepcopy of the layer shares.
    """
    weight = _original(layer)
    del layer._modules["parametrizations"]
    layer.__class__ = type(layer).__bases__[0]
    layer.register_parameter("weight", weight)  # type: ignore[arg-type]


def _unhook(layer: nn.Module, owners: tuple[Any, ...]) -> None:
    """Take away the hooks that are methods of these modules: a deepcopy has hooks, but no handles of them."""
    for hooks in (layer._forward_pre_hooks, layer._forward_hooks):
        for key, hook in list(hooks.items()):
            if any(getattr(hook, "__self__", None) is one for one in owners if one is not None):
                del hooks[key]
