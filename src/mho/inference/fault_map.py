"""A user's own map of stuck devices: by name of a layer, from arrays or a file, checked against the model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from mho.errors import ConfigError, DataError, ShapeError, nearest
from mho.inference.conductances import Conductances
from mho.nn.grid import Span
from mho.nn.layer import AnalogLayer

FaultMap = Mapping[str, Any] | str | os.PathLike[str]
"""Arrays by name of a layer, or a file (.npz or .safetensors) that holds them."""


def read_fault_map(given: FaultMap, layers: Sequence[AnalogLayer], layout: Conductances) -> dict[str, Tensor]:
    """Return a map as int8 tensors (chips, devices, outputs, inputs), by name of a layer.

    Raises ConfigError for names of other layers and codes but -1, 0, 1, ShapeError for other shapes, DataError for a
    file that cannot be read.
    """
    arrays = _load(Path(given)) if isinstance(given, (str, os.PathLike)) else given
    by_name = {layer.name: layer for layer in layers}
    found = {}
    for name, values in arrays.items():
        if name not in by_name:
            raise ConfigError(f"the fault map names a layer {name!r} that is not analog; {nearest(name, by_name)}")
        found[name] = _checked(values, by_name[name], layout)
    return found


def of_block(found: Tensor, group: int, rows: int, span: Span, layout: Conductances) -> Tensor:
    """Return the part of a layer's map that belongs to one block; rows: outputs of a group of channels."""
    (r0, r1), (c0, c1) = span.rows, span.columns
    part = found[:, :, group * rows + r0 : group * rows + r1, c0 : c1 + span.bias]
    return pad(part, (0, 1)) if layout.layout == "offset" else part  # a map does not speak of reference devices


def _checked(values: Any, layer: AnalogLayer, layout: Conductances) -> Tensor:
    array = np.asarray(values.cpu() if isinstance(values, Tensor) else values)
    whole = (layout.devices, layer.out_size, layer.in_size + layer.array_bias)
    chips = len(layer.chips)
    allowed = [whole, (chips, *whole)] + ([whole[1:]] if layout.devices == 1 else [])
    if array.shape not in allowed:
        bias = " (the bias is the last input)" if layer.array_bias else ""
        raise ShapeError(
            f"the fault map of layer {layer.name!r} has shape {array.shape}, but with layout {layout.layout!r} the "
            f"layer has (devices, outputs, inputs) = {whole}{bias}; give that, or (chips, devices, outputs, inputs) = "
            f"{(chips, *whole)}"
        )
    strange = np.setdiff1d(array, (-1, 0, 1))
    if strange.size:
        raise ConfigError(
            f"the fault map of layer {layer.name!r} holds {strange[:3].tolist()}, but a device is 0 (free), -1 (stuck "
            "at g_min) or 1 (stuck at g_max); give these codes"
        )
    codes = array.astype(np.int8).reshape((-1, *whole))
    return torch.from_numpy(np.broadcast_to(codes, (chips, *whole)).copy())


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
    except Exception as error:  # each library raises its own for a broken file
        raise DataError(f"the fault map {path} cannot be read: {error}; give a .npz or .safetensors file") from error
    raise DataError(f"the fault map {path} is of no known kind; give a .npz or .safetensors file, an array a layer")
