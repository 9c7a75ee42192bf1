"""Which weights stand in the sparse memory: at random, or the most important ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mho.errors import ConfigError, NotFiniteError
from mho.inference.sparse_settings import RandomSparse
from mho.random import make_key, permutation


def choose(
    sizes: Mapping[str, int], sparse: RandomSparse, seed: int, scores: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Return the chosen positions of every layer, ascending int64.

    sizes: weights of every layer by name. scores: (weights,) of every layer for select "importance". A random choice
    is drawn from (seed, layer name) without the chip: as wired at manufacture. Equal scores: the first position wins.
    Raises ConfigError for scores that are missing or not asked for, and where nothing would be chosen; NotFiniteError
    for scores with NaN or infinity.
    """
    if (scores is not None) != (sparse.select == "importance"):
        state = "needs scores, but none were given" if scores is None else "takes no scores, but some were given"
        raise ConfigError(
            f'select = "{sparse.select}" {state}; give attach(model, RandomSparse(select="importance"), scores='
            "importance(model, images, labels))"
        )
    if sparse.scope == "total":
        order = _order_of_all(sizes, seed, scores)
        chosen = _parted(sizes, order[: round(sparse.fraction * len(order))])
    else:
        counts = _counts(sizes, sparse)
        chosen = {name: _order(name, size, seed, scores)[: counts[name]] for name, size in sizes.items()}
    if not any(len(places) for places in chosen.values()):
        raise ConfigError(
            f"fraction = {sparse.fraction} of layers of {', '.join(str(n) for n in sizes.values())} weights leaves no "
            f"value at all, so nothing could be adapted; give at least {1 / max(sizes.values()):.2g}"
        )
    return {name: torch.from_numpy(np.sort(places)) for name, places in chosen.items()}


def _counts(sizes: Mapping[str, int], sparse: RandomSparse) -> dict[str, int]:
    """Return how many values every layer gets."""
    if sparse.scope == "layer":
        return {name: round(sparse.share(name) * size) for name, size in sizes.items()}
    left, found = round(sparse.fraction * sum(sizes.values())), {}
    for n, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1])):
        found[name] = min(size, left // (len(sizes) - n))  # what a small layer cannot hold goes to the larger ones
        left -= found[name]
    return found


def _order(name: str, size: int, seed: int, scores: Mapping[str, Tensor] | None) -> np.ndarray:
    """Return the positions of a layer in the order in which they are chosen."""
    if scores is None:
        return permutation(size, make_key(seed, 0, name, "sparse positions"), 0)
    return _descending(_finite(name, scores[name]))


def _order_of_all(sizes: Mapping[str, int], seed: int, scores: Mapping[str, Tensor] | None) -> np.ndarray:
    """Return the positions of all layers, one after another, in the order in which they are chosen."""
    if scores is None:
        return permutation(sum(sizes.values()), make_key(seed, 0, "/".join(sizes), "sparse positions"), 0)
    return _descending(np.concatenate([_finite(name, scores[name]) for name in sizes]))


def _finite(name: str, scores: Tensor) -> np.ndarray:
    found = scores.double().cpu().numpy()
    if not np.isfinite(found).all():
        raise NotFiniteError(
            f"layer {name!r}: the scores hold NaN or infinity, so none is the largest; look at the loss"
        )
    return found


def _descending(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")


def _parted(sizes: Mapping[str, int], places: np.ndarray) -> dict[str, np.ndarray]:
    """Return positions in all layers by layer."""
    found, first = {}, 0
    for name, size in sizes.items():
        found[name] = places[(places >= first) & (places < first + size)] - first
        first += size
    return found
