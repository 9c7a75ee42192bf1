"""Put a torch model on analog tiles, and take it back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from mho.config import AnalogConfig
from mho.errors import ConfigError, ConversionError, nearest
from mho.nn.conv import AnalogConv, AnalogConv1d, AnalogConv2d, AnalogConv3d
from mho.nn.digital import COPIED, ChipDropout, PerChip
from mho.nn.fused import unfuse
from mho.nn.layer import AnalogLayer, chip_ids
from mho.nn.linear import AnalogLinear
from mho.random import make_key

PlainLayer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
"""The torch layers that are put on tiles."""

CONVOLUTIONS: dict[type[nn.Conv1d | nn.Conv2d | nn.Conv3d], type[AnalogConv]] = {
    nn.Conv1d: AnalogConv1d, nn.Conv2d: AnalogConv2d, nn.Conv3d: AnalogConv3d,
}  # fmt: skip
PLAIN_KINDS = (nn.Linear, *CONVOLUTIONS)
"""The types of torch layers that are put on tiles; a subclass, whose forward may differ, is none of them."""
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(frozen=True)
class Conversion:
    """What `convert_to_analog` made of every layer: (name, what it was, what it is now, why)."""

    rows: tuple[tuple[str, str, str, str], ...] = ()

    def __str__(self) -> str:
        head = ("layer", "was", "is", "why")
        table = [head, *self.rows]
        widths = [max(len(r[i]) for r in table) for i in range(4)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in table]
        return "\n".join([lines[0], "-" * max(len(line) for line in lines), *lines[1:]])


def summary(model: nn.Module) -> Conversion:
    """Return what `convert_to_analog` made of every layer of a model; print it to read it.

    Raises ConversionError for a model that did not come from there.
    """
    found = getattr(model, "conversion", None)
    if not isinstance(found, Conversion):
        raise ConversionError(
            f"{type(model).__name__} was not returned by mho.convert_to_analog, so there is nothing to tell"
        )
    return found


@dataclass
class _Plan:
    config: AnalogConfig
    seed: int
    chips: tuple[int, ...]
    exclude: tuple[str, ...]
    trained: bool
    vary: tuple[str, ...]
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    done: dict[int, nn.Module] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def convert_to_analog(
    model: nn.Module, config: AnalogConfig, *, chips: int | Sequence[int] = 1, seed: int = 0,
    exclude: Sequence[str] = (), trained: bool = False, vary: Sequence[str] = (), inplace: bool = False,
) -> nn.Module:  # fmt: skip
    """Return the model with its Linear and Conv layers on analog tiles, on `chips` chips.

    config: an `AnalogConfig`, whose `layers` may differ by name pattern. exclude: name patterns (`"*.head"`) of layers
    that stay digital, with all that is in them. trained: map max abs(W) of every tile to the device's bound by a
    digital scale, unless the config sets one. vary=("init",): every chip starts from its own initial weights. With more
    than one chip, digital layers with parameters are copied per chip and the batch is chip-major (`mho.spread`).
    A layer is made where the one before it was: a network on a GPU gives a model on that GPU, with the same draws.
    `mho.summary(model)` tells what became of every layer. Raises ConversionError naming the layers that cannot be
    converted or copied, and ConfigError for impossible `chips`, `vary`, or a name pattern that matches nothing; the
    model given is never half changed.
    """
    plan = _Plan(config, seed, chip_ids(chips), _names(exclude), trained, _names(vary))
    if unknown := set(plan.vary) - {"init", "order"}:
        raise ConfigError(f"vary takes 'init' and 'order', found {sorted(unknown)}")
    _check_model(model, config)
    _check_patterns(model, plan)
    _check_parametrized(model, plan)
    _check_ties(model, plan)
    work = copy.deepcopy(model)
    made = _convert(work, "", plan)
    if plan.refused:
        raise ConversionError(
            f"{len(plan.refused)} layer(s) cannot run on {len(plan.chips)} chips: " + "; ".join(plan.refused)
        )
    unfuse(made)
    made.conversion = Conversion(tuple(plan.rows))  # type: ignore[assignment]
    made.chips = plan.chips  # type: ignore[assignment]
    if not inplace or made is not work:
        return made
    model.__dict__ = made.__dict__
    return model


def _names(given: Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_model(model: nn.Module, config: AnalogConfig) -> None:
    if not isinstance(model, nn.Module):
        raise ConversionError(f"convert_to_analog takes a torch module, found {model!r}")
    if not isinstance(config, AnalogConfig):
        raise ConfigError(
            f"convert_to_analog takes an AnalogConfig, found {config!r}; give mho.preset('gokmen-2017') or "
            "AnalogConfig(...)"
        )
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer):
            raise ConversionError(
                f"layer {name or 'model'!r} is analog already, and converting again would leave it on its own chips; "
                "give the model as it was before, or mho.convert_to_digital(model)"
            )


def _check_patterns(model: nn.Module, plan: _Plan) -> None:
    names = [n for n, _ in model.named_modules() if n]
    for pattern in plan.exclude:
        if not any(fnmatchcase(n, pattern) for n in names):
            raise ConfigError(f"exclude pattern {pattern!r} matches no layer; {nearest(pattern, names)}")
    if why := unmatched(names, [pattern for pattern, _ in plan.config.layers]):
        raise ConfigError(why)


def unmatched(names: Sequence[str], patterns: Iterable[str]) -> str:
    """Return what is to be said of name patterns that match no layer of a model, "" where each matches one."""
    lost = [p for p in patterns if not any(fnmatchcase(n, p) for n in names or ["model"])]
    return "; ".join(f"layers: pattern {p!r} matches no layer; {nearest(p, names)}" for p in lost)


def _check_parametrized(model: nn.Module, plan: _Plan) -> None:
    """Refuse layers whose weight is computed from another one: on tiles only what it is now would stay."""
    for name, module in model.named_modules():
        if isinstance(module, PlainLayer) and is_parametrized(module) and not _excluded(name, plan):
            raise ConversionError(
                f"layer {name or 'model'!r} has a parametrized weight, which devices cannot follow; take that away "
                "first (hardware-aware training: mho.inference.Aware(model).remove(); others: "
                "torch.nn.utils.parametrize.remove_parametrizations), or exclude the layer"
            )


def _check_ties(model: nn.Module, plan: _Plan) -> None:
    """Refuse parameters shared by different layers: two arrays cannot share devices."""
    owners: dict[int, str] = {}
    for name, module in model.named_modules():
        for key, p in module.named_parameters(recurse=False):
            where = f"{name}.{key}"
            if id(p) in owners and not all(_excluded(w, plan) for w in (name, owners[id(p)].rpartition(".")[0])):
                raise ConversionError(
                    f"{owners[id(p)]} and {where} are one parameter; two arrays cannot share devices. Exclude both "
                    "layers, or give them weights of their own"
                )
            owners.setdefault(id(p), where)


def _excluded(name: str, plan: _Plan) -> bool:
    """Return whether a pattern matches a layer, or a module that it is part of."""
    parts = name.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return any(fnmatchcase(n, pattern) for pattern in plan.exclude for n in names)


def _convert(module: nn.Module, name: str, plan: _Plan) -> nn.Module:
    """Return what a module becomes; its children are replaced in place."""
    if id(module) in plan.done:
        return plan.done[id(module)]
    made = _leaf(module, name, plan)
    if made is None:
        for key, child in _children(module):
            setattr(module, key, _convert(child, f"{name}.{key}" if name else key, plan))
        made = module
    plan.done[id(module)] = made
    return made


def _children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return every child by name, a shared one at each of its places (`named_children` names it once)."""
    return [(key, child) for key, child in module._modules.items() if child is not None]


def _leaf(module: nn.Module, name: str, plan: _Plan) -> nn.Module | None:
    """Return the replacement of a module that is handled as a whole, or None to look at its children."""
    kind = type(module)
    if isinstance(module, PlainLayer) and kind in PLAIN_KINDS and not _excluded(name, plan):
        return _analog(module, name or "model", plan)
    if kind in DROPOUTS and not _excluded(name, plan):
        plan.rows.append((name, kind.__name__, "ChipDropout", "draws from the run's seed"))
        p = float(module.p)  # type: ignore[arg-type]
        return ChipDropout(p, kind, name=name, seed=plan.seed, chips=plan.chips).train(module.training)
    own = list(module.parameters(recurse=False)) + list(module.buffers(recurse=False))
    if not own:
        return None
    if any(is_lazy(p) for p in own):
        raise ConversionError(
            f"{name or 'the model itself'} ({kind.__name__}) has no weights before its first input; run the model "
            "once, then convert it"
        )
    why = "excluded" if _excluded(name, plan) else "digital layer"
    if isinstance(module, PlainLayer) and why != "excluded":
        why = f"digital: a subclass of {kind.__mro__[1].__name__}, whose forward may differ"
    if len(plan.chips) == 1:
        plan.rows.append((name or "model", kind.__name__, kind.__name__, why))
        return None
    if kind in COPIED or (isinstance(module, COPIED) and not list(module.children())):
        plan.rows.append((name, kind.__name__, f"{len(plan.chips)} copies", why))
        return PerChip(module, len(plan.chips), _again(name, plan))
    plan.refused.append(
        f"{name or 'the model itself'} ({kind.__name__}) holds parameters or buffers that mho cannot copy per chip; "
        "put them in a torch layer of their own, or use chips=1"
    )
    return module


def _again(name: str, plan: _Plan) -> Callable[[int, nn.Module], None] | None:
    """Return how a chip's copy gets initial values of its own, or None when chips share them."""
    if "init" not in plan.vary:
        return None

    def again(k: int, layer: nn.Module) -> None:
        reset = getattr(layer, "reset_parameters", None)
        if reset is None:
            return
        place = next((p.device for p in layer.parameters()), torch.device("cpu"))
        layer.to("cpu")  # values are drawn there: one seed gives the same ones wherever a model is
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(make_key(plan.seed, plan.chips[k], name, "init")[0])
            reset()
        layer.to(place)

    return again


def _analog(module: PlainLayer, name: str, plan: _Plan) -> AnalogLayer:
    config = plan.config.for_layer(name)
    if plan.trained and config.mapping.scaling == "none":
        config = config.with_(mapping={"scaling": "tile"})
    bias = module.bias is not None
    options: dict[str, Any] = {"config": config, "name": name, "seed": plan.seed, "chips": plan.chips, "bias": bias}
    with torch.random.fork_rng(devices=[]):
        if isinstance(module, nn.Linear):
            made: AnalogLayer = AnalogLinear(module.in_features, module.out_features, **options)
        else:
            kind = CONVOLUTIONS[type(module)]
            shape = {k: getattr(module, k) for k in ("stride", "padding", "dilation", "groups", "padding_mode")}
            made = kind(module.in_channels, module.out_channels, module.kernel_size, **shape, **options)
    weights, biases = [], []
    again = _again(name, plan)
    for k in range(len(plan.chips)):
        one = module
        if again is not None:
            one = copy.deepcopy(module)
            again(k, one)
        weights.append(one.weight.detach().flatten(1))
        if one.bias is not None:
            biases.append(one.bias.detach())
    keeps_bias = made.array_bias or made.bias is not None
    made.set_weights(torch.stack(weights), torch.stack(biases) if keeps_bias else None)
    made.train(module.training).to(module.weight.device)
    made.pulses.requires_grad_(module.weight.requires_grad)
    if made.bias is not None and module.bias is not None:
        made.bias.requires_grad_(module.bias.requires_grad)
    clipped = max(made.clipped)
    note = f"{len(made.analog_tiles())} tile(s)" + (
        f", {100 * clipped:.2g} % of the weights clipped" if clipped else ""
    )
    if bias and not keeps_bias:
        note += ", bias dropped by mapping.bias"
    plan.rows.append((name, type(module).__name__, type(made).__name__, note))
    return made


def convert_to_digital(model: nn.Module, chip: int | None = None) -> nn.Module:
    """Return a plain torch model with the exact weights of one chip; the analog model is left as it is.

    `chip`: its place in the run, from 0; needed with several chips. Raises ConversionError where there is no such chip.
    """
    chips = len(getattr(model, "chips", (0,)))
    if chip is None:
        if chips > 1:
            raise ConversionError(f"the model holds {chips} chips; choose one: convert_to_digital(model, chip=0)")
        chip = 0
    if not 0 <= chip < chips:
        raise ConversionError(f"chip {chip} is not one of the {chips} chips of this model, 0 to {chips - 1}")
    work = copy.deepcopy(model)
    made = _digital(work, chip, {})
    for attribute in ("conversion", "chips"):
        made.__dict__.pop(attribute, None)
    return made


def _digital(module: nn.Module, chip: int, done: dict[int, nn.Module]) -> nn.Module:
    if id(module) in done:
        return done[id(module)]
    if isinstance(module, AnalogLayer):
        made: nn.Module = _plain(module, chip).train(module.training)
    elif isinstance(module, PerChip):
        made = module.copies[chip]
        for p in made.parameters():
            del p.chip_index  # type: ignore[attr-defined]  # noted by PerChip
    elif isinstance(module, ChipDropout):
        made = module.kind(module.p).train(module.training)
    elif (own := getattr(module, "to_digital", None)) is not None:  # an analog layer with more beside its array
        made = own(chip)
    else:
        made = module
        for key, child in _children(module):
            setattr(module, key, _digital(child, chip, done))
    done[id(module)] = made
    return made


def _plain(layer: AnalogLayer, chip: int) -> PlainLayer:
    weight, bias = layer.get_weights()
    if isinstance(layer, AnalogLinear):
        made: PlainLayer = nn.Linear(layer.in_features, layer.out_features, bias=bias is not None)
    else:
        assert isinstance(layer, AnalogConv)
        kind = next(plain for plain, analog in CONVOLUTIONS.items() if isinstance(layer, analog))
        sizes: dict[str, Any] = {  # of any number of dimensions
            "kernel_size": layer.kernel_size, "stride": layer.window.stride, "padding": layer.asked_padding,
            "dilation": layer.window.dilation, "groups": layer.groups, "padding_mode": layer.padding_mode,
        }  # fmt: skip
        made = kind(layer.in_channels, layer.out_channels, bias=bias is not None, **sizes)
    made.to(weight.device)
    with torch.no_grad():
        made.weight.copy_(weight[chip].view_as(made.weight))
        if bias is not None and made.bias is not None:
            made.bias.copy_(bias[chip])
    return made
