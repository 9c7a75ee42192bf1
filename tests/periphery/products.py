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


def kernel_product(settings, weights, x, *, call=0, first=0, bias=False, chips=None, learning=True, backend="auto"):
    """Return outputs and the bound Product after one product of x (chips, vectors, columns)."""
    chips = range(weights.shape[0]) if chips is None else chips
    product = bind(settings, weights.shape[0])
    product.backend = backend
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


def compare(config, weights, x, *, bias, call, first, backend="auto"):
    """Return (codes compared, codes that differ) after checking that each lies within rounding of an edge."""
    out, product = kernel_product(config, weights, x, call=call, first=first, bias=bias, backend=backend)
    outcomes = reference_product(config, weights, x, call=call, first=first, bias=bias)
    compared = differing = repeats = skipped = 0
    for c, row in enumerate(outcomes):
        for v, outcome in enumerate(row):
            slack = rounding(weights[c].numpy(), outcome)
            repeats += outcome.repeats
            if outcome.nearest < 4 * slack.max():
                skipped += 1  # whether it is repeated hangs on rounding
                continue
            y = out[c, v].numpy().astype(np.float64)
            scaled = np.divide(y, outcome.scale, out=np.zeros_like(y), where=outcome.scale != 0)
            expected = np.divide(outcome.y, outcome.scale, out=np.zeros_like(y), where=outcome.scale != 0)
            slack = slack + 1e-6 * np.abs(expected)
            if outcome.step == 0:
                np.testing.assert_array_less(np.abs(scaled - expected), slack + 1e-12)
                continue
            compared += len(y)
            off = np.rint((scaled - expected) / outcome.step)
            np.testing.assert_array_less(np.abs(scaled - expected - off * outcome.step), slack + 1e-12)
            for r in np.flatnonzero(off):
                differing += 1
                assert abs(off[r]) == 1
                assert outcome.edge[r] <= slack[r], "a code differs away from the edge between codes"
    assert skipped or repeats == product.repeats
    return compared, differing
