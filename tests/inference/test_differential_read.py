"""Bit errors of 2T2R memory: closed forms against counting, and how draws are keyed.

Statistical tests are two-sided with a false-alarm rate of 1e-4 each, at fixed seeds: errors are counted on bits drawn
independently (no offset shared by columns, no shift shared by a chip), so their number is binomial.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import binom, norm

from mho.errors import ConfigError, ShapeError
from mho.inference.differential import Memory, TwoStates
from mho.inference.hamming import corrected_error, data_of, decode, encode, words_of

ALARM = 1e-4
STATES = TwoStates(low=5e3, high=3e4, low_sigma=0.4, high_sigma=0.6, offset=0.0)


def halves(rows: int, columns: int) -> torch.Tensor:
    """Return bits of which every second one is a 1."""
    return (torch.arange(rows * columns) % 2 == 0).view(rows, columns)


def assert_rate(wrong: int, total: int, rate: float) -> None:
    """Fail where so many errors are too few or too many for a binomial number of this rate."""
    low, high = binom.ppf([ALARM / 2, 1 - ALARM / 2], total, rate)
    assert low <= wrong <= high, f"{wrong} of {total} bits are wrong; {low:g} to {high:g} were expected at {rate:g}"


def test_counting_errors_can_fail() -> None:
    with pytest.raises(AssertionError, match="were expected"):
        assert_rate(wrong=1300, total=100_000, rate=0.01)


def test_differential_errors_are_as_many_as_the_formula_says() -> None:
    bits = halves(300, 400)
    read = Memory(STATES, seed=1, chips=(0, 1), name="m").differential(bits)
    assert_rate(int((read != bits).sum()), read.numel(), STATES.differential_error())


@pytest.mark.parametrize("threshold", [None, 9e3, 2e4])
def test_single_ended_errors_are_as_many_as_the_formula_says(threshold: float | None) -> None:
    bits = halves(300, 400)
    read = Memory(STATES, seed=2, chips=(0, 1), name="m").single(bits, threshold)
    ones, zeros = STATES.single_errors(threshold)
    assert_rate(int((~read[:, bits]).sum()), read[:, bits].numel(), ones)
    assert_rate(int(read[:, ~bits].sum()), read[:, ~bits].numel(), zeros)


def test_offsets_widen_both_readings() -> None:
    """One row: no two bits share a sense amplifier, so errors are independent."""
    bits, states = halves(1, 100_000), replace(STATES, offset=0.5)
    memory = Memory(states, seed=3, chips=(0,), name="m")
    assert_rate(int((memory.differential(bits) != bits).sum()), bits.numel(), states.differential_error())
    assert_rate(int((memory.single(bits) != bits).sum()), bits.numel(), states.single_error())
    assert states.differential_error() > 1.1 * STATES.differential_error()


def test_a_column_shares_its_offset() -> None:
    states = TwoStates(low_sigma=0.0, high_sigma=0.0, offset=3.0)
    read = Memory(states, seed=4, chips=(0,), name="m").differential(torch.ones(5, 1000, dtype=torch.bool))[0]
    assert torch.equal(read, read[:1].expand(5, -1))
    assert_rate(int((~read[0]).sum()), 1000, float(norm.cdf(-math.log(20) / 3.0)))


def test_a_shift_of_a_whole_chip_falls_out_of_the_difference_only() -> None:
    """One bit a chip, so that errors are independent."""
    states = replace(STATES, chip_sigma=1.0)
    chips, bits = tuple(range(2_000)), torch.ones(1, 1, dtype=torch.bool)
    memory = Memory(states, seed=5, chips=chips, name="m")
    assert states.differential_error() == STATES.differential_error()
    assert_rate(int((~memory.differential(bits)).sum()), len(chips), states.differential_error())
    assert_rate(int((~memory.single(bits)).sum()), len(chips), states.single_errors()[0])
    assert states.single_error() > 3 * STATES.single_error()


def test_equal_spreads_have_known_error_rates() -> None:
    """With s in both states: Phi(-d / 2 s) at the threshold in the middle, Phi(-d / sqrt(2) s) for the difference."""
    states = TwoStates(low=1e4, high=1e5, low_sigma=0.5, high_sigma=0.5, offset=0.0)
    assert states.best_threshold() == pytest.approx(math.sqrt(1e9), rel=1e-5)
    assert states.single_error() == pytest.approx(norm.cdf(-math.log(10) / 1.0), rel=1e-6)
    assert states.differential_error() == pytest.approx(norm.cdf(-math.log(10) / math.sqrt(0.5)), rel=1e-6)


def test_no_other_threshold_is_better() -> None:
    best = STATES.best_threshold()
    assert all(STATES.single_error() < STATES.single_error(best * factor) for factor in (0.8, 0.95, 1.05, 1.3))


def test_at_the_balanced_threshold_ones_and_zeros_err_equally_often() -> None:
    for states in (STATES, replace(STATES, offset=0.3, chip_sigma=0.4)):
        ones, zeros = states.single_errors(states.balanced_threshold())
        assert ones == pytest.approx(zeros, rel=1e-9)
        assert ones == pytest.approx(norm.cdf(-math.log(6) / sum(states._widths())), rel=1e-9)
        assert ones > states.single_error()
    assert TwoStates(1e4, 1e6, 0.0, 0.0, offset=0.0).balanced_threshold() == pytest.approx(1e5)


def test_a_difference_is_never_worse_than_a_threshold() -> None:
    for low, high, window in ((0.1, 0.1, 3.0), (0.1, 1.0, 10.0), (0.8, 0.2, 4.0), (1.0, 1.0, 1.5)):
        states = TwoStates(1e4, 1e4 * window, low, high, offset=0.0)
        assert states.differential_error() <= states.single_error()


def test_a_chip_alone_reads_what_it_reads_among_others() -> None:
    bits, states = halves(20, 30), replace(STATES, offset=0.3, chip_sigma=0.3)
    many, alone = (Memory(states, seed=6, chips=chips, name="m") for chips in ((0, 1, 2), (2,)))
    assert torch.equal(many.differential(bits)[2], alone.differential(bits)[0])
    assert torch.equal(many.single(bits)[2], alone.single(bits)[0])
    again = Memory(states, seed=6, chips=(2,), name="m", write=1)
    assert not torch.equal(alone.log_resistances(bits), again.log_resistances(bits))
    assert torch.equal(alone._offsets(bits), again._offsets(bits))


def test_one_wrong_bit_is_corrected_and_two_are_left() -> None:
    data = (torch.arange(16)[:, None] & torch.tensor([1, 2, 4, 8])) > 0
    words = encode(data)
    apart = (words[:, None] != words[None]).sum(-1)
    assert apart[~torch.eye(16, dtype=torch.bool)].min() == 4
    for first in range(8):
        one = words.clone()
        one[:, first] ^= True
        assert torch.equal(decode(one), data)
        for second in range(first):
            two = one.clone()
            two[:, second] ^= True
            assert torch.equal(decode(two), two[:, :4])


def test_errors_left_by_the_code_are_as_many_as_the_sum_over_patterns_says() -> None:
    """Words, not bits, are independent: the number of wrong words is counted, and the mean of bits within 4 errors."""
    torch.manual_seed(0)
    rate, words = 0.05, encode(torch.rand(200_000, 4) < 0.5)
    read = words ^ (torch.rand(words.shape) < rate)
    wrong = (decode(read) != decode(words)).double().mean(1)
    error = float(wrong.std()) / math.sqrt(len(wrong))
    assert abs(float(wrong.mean()) - corrected_error(rate)) < norm.ppf(1 - ALARM / 2) * error
    assert corrected_error(1e-4) == pytest.approx(7e-8, rel=1e-2)


def test_memories_of_words_give_the_data_back() -> None:
    bits = halves(3, 10) ^ (torch.arange(3)[:, None] == 1)
    assert words_of(bits).shape == (3, 24)
    assert torch.equal(data_of(words_of(bits), 10), bits)


def test_impossible_states_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 < low < high"):
        TwoStates(low=1e5, high=1e4)
    with pytest.raises(ConfigError, match="low_sigma is a finite number"):
        TwoStates(low_sigma=-0.1)
    with pytest.raises(ShapeError, match="takes bits as a bool tensor"):
        Memory(STATES, seed=0, chips=(0,), name="m").single(torch.ones(2, 2))
    with pytest.raises(ShapeError, match="4 bits at a time"):
        encode(torch.ones(3, dtype=torch.bool))
