"""Put sparse memories beside the analog layers of a model, and take them away."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from mho.errors import ConfigError, ShapeError
from mho.inference.sparse import Adapted, weights_of
from mho.inference.sparse_choice import choose
from mho.inference.sparse_settings import RandomSparse
from mho.nn.layer import AnalogLayer, analog_layers


def attach(
    model: nn.Module, sparse: RandomSparse, *, seed: int | None = None, scores: Mapping[str, Tensor] | None = None
) -> dict[str, Adapted]:
    """Put a sparse memory with values of 0 beside the analog layers of a model; return the `Adapted` layers by name.

    Every analog layer is replaced in its parent by an `Adapted` around it, also where no weight of it was chosen, so
    that its products are counted; memories that were there are dropped.
    seed: of the random choice; None takes that of the layers. scores: for select "importance", by layer name a tensor
    of the shape (out, in [+ 1 for a bias in the array]), or of as many elements; the largest are chosen.
    Raises ConfigError for a model without analog layers, one that is itself an analog layer, scores that are missing or
    not asked for, and a fraction that leaves no value at all; ShapeError for scores that do not fit.
    """
    layers = named_layers(model)
    if isinstance(model, AnalogLayer):
        raise ConfigError(
            f"a memory was asked for beside {model.name!r}, which is the whole model, so there is no parent in which "
            "it could be replaced; give torch.nn.Sequential(layer)"
        )
    given = None if scores is None else {name: _scores(layer, scores) for name, layer in layers.items()}
    positions = choose({name: weights_of(layer) for name, layer in layers.items()}, sparse, _seed(layers, seed), given)
    detach(model)
    made = {name: Adapted(layer, positions[name], sparse.bits) for name, layer in layers.items()}
    _replace(model, {id(one.layer): one for one in made.values()})
    return made


def detach(model: nn.Module) -> None:
    """Take the sparse memories of a model away: its analog layers stand in their parents as before `attach`."""
    _replace(model, {id(m): m.layer for m in model.modules() if isinstance(m, Adapted)})


def put_back(model: nn.Module, layers: Mapping[str, Adapted]) -> None:
    """Put memories that were detached beside their layers again."""
    _replace(model, {id(one.layer): one for one in layers.values()})


def adapted_layers(model: nn.Module) -> dict[str, Adapted]:
    """Return the layers of a model that have a sparse memory, by name."""
    return {m.layer.name: m for m in model.modules() if isinstance(m, Adapted)}


def named_layers(model: nn.Module) -> dict[str, AnalogLayer]:
    """Return the analog layers of a model by name; raise ConfigError where there is none, or a name stands twice."""
    found = analog_layers(model) if isinstance(model, nn.Module) else []
    if not found:
        raise ConfigError(
            f"sparse adaptation was asked for on a {type(model).__name__} without analog layers, so there is no array "
            "to stand beside; convert it first with mho.convert_to_analog, then program it"
        )
    names = [layer.name for layer in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{len(found)} analog layers have the names {', '.join(names)}, where {', '.join(twice)} stands twice, and "
            "the choice of weights is keyed by the name; give every layer a name of its own"
        )
    return dict(zip(names, found, strict=True))


def _seed(layers: Mapping[str, AnalogLayer], seed: int | None) -> int:
    return next(iter(layers.values())).seed if seed is None else seed


def _scores(layer: AnalogLayer, scores: Mapping[str, Tensor]) -> Tensor:
    found = scores.get(layer.name)
    if found is None:
        raise ConfigError(
            f"scores were given for {', '.join(scores) or 'no layer'}, but layer {layer.name!r} has none; give every "
            "analog layer a tensor, of zeros where no weight matters"
        )
    if found.numel() != weights_of(layer):
        columns = layer.in_size + layer.array_bias
        raise ShapeError(
            f"layer {layer.name!r}: scores have shape {tuple(found.shape)}, expected {(layer.out_size, columns)}, one "
            "for each weight in the array, with the bias where it is there"
        )
    return found.detach().reshape(-1)


def _replace(model: nn.Module, made: Mapping[int, nn.Module]) -> None:
    """Put other modules in place of those with these ids, at each of their places."""
    for parent in list(model.modules()):
        if isinstance(parent, Adapted):
            continue
        for key, child in parent._modules.items():
            if id(child) in made:
                setattr(parent, key, made[id(child)])
