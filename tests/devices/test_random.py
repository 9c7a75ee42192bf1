"""Random words and numbers: known answers, accuracy, the same bits under Numba, and their distribution."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mho import random
from mho.errors import MhoError
from mho.random import exp32, log32, make_key, normal32, permutation, philox, pick, round32, uniform32

WORD = st.integers(0, 2**32 - 1)
FALSE_ALARM = 1e-6
"""Of each statistical test here: about 20 of them fail once in 50,000 changes of the generator."""


def words(*values):
    return [np.array([v], np.uint32) for v in values]


def plain_philox(key, counter, rounds):
    """Philox4x32 in Python's own integers, after Salmon et al. 2011, section 3.3."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(rounds):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def test_known_answers():
    # Random123's kat_vectors: `philox4x32 7` with all words 0, with all bits set, and with digits of pi.
    ones = 0xFFFFFFFF
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    known = {
        ((0,) * 4, (0,) * 2): "5f6fb709 0d893f64 4f121f81 4f730a48",
        ((ones,) * 4, (ones,) * 2): "5207ddc2 45165e59 4d8ee751 8c52f662",
        pi: "4dfccaba 190a87f0 c47362ba b6b5242a",
    }
    for (counter, key), answer in known.items():
        assert " ".join(f"{int(w[0]):08x}" for w in philox(*words(*key, *counter))) == answer


@given(st.tuples(WORD, WORD), st.tuples(WORD, WORD, WORD, WORD))
def test_philox_equals_plain_integers(key, counter):
    assert tuple(int(w[0]) for w in philox(*words(*key, *counter))) == plain_philox(key, counter, 7)


def test_a_round_less_gives_other_words():
    assert plain_philox((0, 0), (0, 0, 0, 0), 6) != plain_philox((0, 0), (0, 0, 0, 0), 7)


@given(st.tuples(WORD, WORD, WORD, WORD), WORD)
def test_pick_takes_word_draw_modulo_4(block, draw):
    assert int(pick(*words(*block, draw))[0]) == block[draw % 4]


def some_words(n=200_000, seed=0):
    generator = np.random.default_rng(seed)
    edges = np.array([0, 1, 2, 3, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1], np.uint32)
    shifted = np.uint32(1) << np.arange(32, dtype=np.uint32)
    drawn = generator.integers(0, 2**32, n, dtype=np.uint32)
    return np.concatenate([edges, shifted, shifted - 1, ~shifted, drawn])


def test_normal_is_the_quantile_of_its_word():
    w = some_words()
    exact = special.ndtri((w.astype(np.float64) + 0.5) / 2**32)
    error = np.abs(normal32(w) - exact)
    assert error[np.abs(exact) < 5.4].max() < 2e-6
    assert error.max() < 0.0025  # words that one draw in 30 million takes


def test_normal_is_odd_and_ordered():
    w = np.sort(some_words())
    z = normal32(w)
    np.testing.assert_array_equal(normal32(~w), -z)
    assert np.diff(z).min() > -1e-6  # the polynomial's own ripple, below its error


def ulps(value, exact):
    """Return the error in units of the last place of float32."""
    return np.abs(value.astype(np.float64) - exact) / np.spacing(np.abs(exact).astype(np.float32))


def test_log_is_accurate():
    x = np.exp(np.random.default_rng(0).uniform(-87, 88, 200_000)).astype(np.float32)
    x = np.concatenate([x, np.linspace(0.5, 2, 100_001, dtype=np.float32)])
    exact = np.log(x.astype(np.float64))
    error = np.abs(log32(x).astype(np.float64) - exact)
    assert (error / np.maximum(np.spacing(np.abs(exact).astype(np.float32)), 1e-14)).max() < 3


def test_exp_is_accurate_and_clipped():
    x = np.random.default_rng(0).uniform(-87, 88, 200_000).astype(np.float32)
    assert ulps(exp32(x), np.exp(x.astype(np.float64))).max() < 2
    far = exp32(np.array([-1e30, -88, 89, 1e30], np.float32))
    assert (far == exp32(np.array([-87, -87, 88, 88], np.float32))).all()
    assert exp32(np.zeros(1, np.float32))[0] == 1


def test_round_and_uniform():
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.49, 2**21 + 0.5], np.float32)
    np.testing.assert_array_equal(round32(x), np.round(x))
    u = uniform32(some_words())
    assert u.min() == 0
    assert u.max() == 1 - 2**-24


def test_numba_computes_the_same_bits():
    from mho.kernels import build

    text = build.template("prelude") + build._shared() + NUMBA_TEST
    kernels = build.compile_source(text, "test_random")
    w = some_words(20_000)
    counter = [w, np.roll(w, 1), np.roll(w, 2), np.roll(w, 3)]
    key = [np.roll(w, 4), np.roll(w, 5)]
    x = np.exp(np.random.default_rng(0).uniform(-87, 88, w.size)).astype(np.float32)
    out = np.zeros((8, w.size), np.uint32)
    kernels.everything(*key, *counter, x, out)
    block = philox(*key, *counter)
    expected = [*block, pick(*block, w), log32(x).view(np.uint32), exp32(x - 50).view(np.uint32)]
    expected.append(normal32(w).view(np.uint32))
    for row, value in zip(out, expected, strict=True):
        np.testing.assert_array_equal(row, value)


NUMBA_TEST = """

@njit
def everything(k0, k1, c0, c1, c2, c3, x, out):
    for i in range(x.size):
        w0, w1, w2, w3 = philox(k0[i], k1[i], c0[i], c1[i], c2[i], c3[i])
        out[0, i] = w0
        out[1, i] = w1
        out[2, i] = w2
        out[3, i] = w3
        out[4, i] = pick(w0, w1, w2, w3, c0[i])
        out[5, i] = u32(float_bits(log32(x[i])))
        out[6, i] = u32(float_bits(exp32(f32(x[i] - f32(50.0)))))
        out[7, i] = u32(float_bits(normal32(c0[i])))
"""


def grid(*sizes, key=(7, 11)):
    """Return the words of all counters in a grid, shape (4, *sizes)."""
    counter = np.meshgrid(*(np.arange(n, dtype=np.uint32) for n in sizes), indexing="ij")
    return np.stack(philox(*words(*key), *counter))


def check_uniform(values, bins):
    """Fail when whole numbers in 0..bins-1 are not uniform, by chi-square at FALSE_ALARM."""
    counts = np.bincount(values.reshape(-1), minlength=bins)
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


@pytest.mark.parametrize("bit", [0, 8, 16, 24])
def test_words_of_counters_side_by_side_are_uniform(bit):
    w = grid(32, 16, 16, 32)
    check_uniform((w >> np.uint32(bit)) & np.uint32(255), 256)


@pytest.mark.parametrize("axis", range(5))
def test_neighbours_along_every_field_are_independent(axis):
    w = grid(20, 20, 20, 20) >> np.uint32(28)
    one, other = (np.take(w, range(start, stop), axis) for start, stop in ((0, -1 % w.shape[axis]), (1, w.shape[axis])))
    check_uniform(one * np.uint32(16) + other, 256)


def test_normals_have_a_normal_distribution():
    z = normal32(grid(40, 40, 10, 10).reshape(-1))
    assert stats.kstest(z, "norm").pvalue > FALSE_ALARM
    n = z.size
    assert abs(z.mean()) * math.sqrt(n) < stats.norm.isf(FALSE_ALARM / 2)
    assert abs(z.var() - 1) * math.sqrt(n / 2) < stats.norm.isf(FALSE_ALARM / 2)


def test_the_uniformity_check_sees_a_bad_generator():
    w = grid(32, 16, 16, 32)
    with pytest.raises(AssertionError):
        check_uniform((w | (w >> np.uint32(3) & np.uint32(1))) & np.uint32(255), 256)


def test_keys_differ_in_every_part():
    parts = itertools.product((0, 1, 2**40), (0, 1, 2), ("0.weight", "1.weight", ""), ("pulse", "read", ""))
    keys = [make_key(*p) for p in parts]
    assert len(set(keys)) == len(keys) == 81
    assert all(0 <= k < 2**32 for key in keys for k in key)
    assert make_key(1, 2, "tile", "pulse") == make_key(1, 2, "tile", "pulse")


def test_the_layout_of_keys_is_fixed():
    # A changed layout gives every published run other draws: that belongs in the changelog.
    assert make_key(2016, 3, "fc1", "pulse") == FIXED_KEY


FIXED_KEY = (3381785299, 3199277356)


@pytest.mark.parametrize(("seed", "chip"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**32)])
def test_a_key_that_would_overflow_is_refused(seed, chip):
    with pytest.raises(MhoError, match="from 0 to 2"):
        make_key(seed, chip, "tile", "pulse")


def test_a_counter_that_would_overflow_is_refused():
    assert random.check_counter("step", 2**32 - 1) == 2**32 - 1
    for value in (-1, 2**32):
        with pytest.raises(MhoError, match="step"):
            random.check_counter("step", value)
    with pytest.raises(MhoError, match="step"):
        permutation(5, (1, 2), 2**32)


def test_permutations():
    orders = [permutation(50, (1, 2), step) for step in range(200)]
    for order in orders:
        assert sorted(order) == list(range(50))
    first = np.array([o[0] for o in orders])
    assert len(set(first)) > 30
    assert permutation(0, (1, 2), 0).size == 0


def test_every_order_is_equally_likely():
    orders = list(itertools.permutations(range(3)))
    found = np.array([orders.index(tuple(permutation(3, (5, 6), step))) for step in range(3000)])
    check_uniform(found, 6)
