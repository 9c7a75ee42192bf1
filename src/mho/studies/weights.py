"""The weights of one layer of a study's run: of its network before training, and from its checkpoint."""

from __future__ import annotations

import numpy as np
import torch

from mho.config import RunConfig
from mho.data import load
from mho.errors import ConfigError
from mho.report.layers import tile_weights
from mho.report.rundir import MODEL, Arrays
from mho.report.tilefiles import find_tiles
from mho.studies.outcome import Outcome
from mho.train import make_network


def initial_weights(config: RunConfig, layer: str) -> np.ndarray:
    """Return the weights of a layer before training, from the run's seed; raise ConfigError when there is none."""
    data = load(config.data, progress=False)
    network = make_network(config.network, data.shape, len(data.classes), seed=config.seed)
    found = dict(network.named_modules()).get(layer)
    weight = getattr(found, "weight", None)
    if not isinstance(weight, torch.Tensor):
        raise ConfigError(f"network {config.network} has no layer {layer!r} with weights")
    return np.asarray(weight.detach().numpy())


def trained_weights(outcome: Outcome, layer: str) -> np.ndarray:
    """Return the weights (chips, devices) of a layer in a run's checkpoint; raises CheckpointError."""
    assert outcome.folder is not None
    arrays = Arrays(outcome.folder / MODEL)
    tiles = find_tiles(arrays, outcome.config.analog, [layer]).get(layer, [])
    if not tiles:
        raise ConfigError(f"the network of {outcome.folder} has no analog layer {layer!r}")
    return np.concatenate([tile_weights(arrays, t).reshape(t.shape[0], -1) for t in tiles], axis=1)
