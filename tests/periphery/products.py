"""Products of small tiles by the kernels and by the reference, and their comparison."""

from __future__ import annotations

import numpy as np
import torch

from mho.kernels.product import Draws
from mho.periphery import reference
from mho.periphery.product import bind, multiply
from mho.random import make_key


def make_keys(chips, *, seed=0):
    words = [make_key(seed, c, "tile", "product") for c in chips]
    return torch.from_numpy(np.array(words, np.uint32).view(np.int32))


def kernel_product(settings, weights, x, *, call=0, first=0, bias=False, chips=None, learning=True):
    """Return outputs and the bound Product after one product of x (chips, vectors, columns)."""
    chips = range(weights.shape[0]) if chips is None else chips
    product = bind(settings, weights.shape[0])
    out = torch.full((x.shape[0], x.shape[1], weights.shape[1]), torch.nan)
    multiply(product, weights, x, Draws(make_keys(chips), call, 0, first), out, bias=bias, learning=learning)
    return out, product


def reference_product(settings, weights, x, *, call=0, first=0, bias=False):
    """Return the reference's outcomes, one list per chip."""
    chips = weights.shape[0]
    keys = make_keys(range(chips)).numpy().view(np.uint32)
    outcomes = []
    for c in range(chips):
        numbers = reference.constants(settings, chips, c)
        tops = np.abs(x[c].numpy()).max(axis=1, initial=0.0)
        running = float((np.maximum(tops, 1.0) if bias else tops).astype(np.float32).mean(dtype=np.float64))
        outcomes.append(
            [
                reference.product_of_vector(
                    settings, weights[c].numpy(), x[c, v].numpy(), reference.Stream(keys[c], call, first + v),
                    numbers=numbers, bias=bias, running=running,
                )
                for v in range(x.shape[1])
            ]
        )  # fmt: skip
    return outcomes


def rounding(weights, outcome):
    """Return how far a single-precision sum of products, and its noise, may be off, for every output."""
    terms = np.abs(weights.astype(np.float64)) @ np.abs(outcome.inputs.astype(np.float64))
    return 2.0**-23 * (weights.shape[1] + 8) * (terms + np.abs(outcome.before) + 1e-3)
