"""Which weights get a value, and on which grid the values lie."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import mho
from mho.inference.sparse import quantised
from mho.inference.sparse_attach import attach
from mho.inference.sparse_choice import choose
from mho.inference.sparse_settings import RandomSparse
from nn.networks import ideal

SIZES = {"a": 1000, "b": 50, "c": 3000}


def test_a_fraction_of_every_layer_at_random_without_repetition():
    found = choose(SIZES, RandomSparse(0.1), 5)
    assert {name: len(p) for name, p in found.items()} == {"a": 100, "b": 5, "c": 300}
    for name, places in found.items():
        assert torch.equal(places, places.unique())
        assert int(places.min()) >= 0
        assert int(places.max()) < SIZES[name]
    # Thirds of the layer: binomial around 100 with a standard deviation below 8.2; 5 of them is a false alarm of 1e-6.
    thirds = torch.histc(found["c"].float(), 3, 0, 3000)
    assert bool(((thirds - 100).abs() < 41).all())


def test_a_larger_fraction_keeps_the_weights_of_a_smaller_one_and_another_seed_does_not():
    few, more, other = (
        choose(SIZES, RandomSparse(f), seed)["c"].tolist() for f, seed in ((0.05, 1), (0.2, 1), (0.2, 2))
    )
    assert set(few) < set(more)
    assert len(set(other) & set(more)) < 200  # 120 expected
    twins = choose({"a": 100, "b": 100}, RandomSparse(0.2), 1)
    assert twins["a"].tolist() != twins["b"].tolist()


def test_a_fraction_of_all_layers_together():
    found = choose(SIZES, RandomSparse(0.1, scope="total"), 5)
    counts = {name: len(p) for name, p in found.items()}
    assert sum(counts.values()) == 405
    assert counts != {"a": 100, "b": 5, "c": 300}  # left to chance
    assert abs(counts["c"] - 300) < 45  # 5 standard deviations
    assert all(int(p.max()) < SIZES[name] for name, p in found.items())


@pytest.mark.parametrize(
    ("fraction", "counts"),
    [(0.03, {"b": 40, "a": 41, "c": 41}), (0.1, {"b": 50, "a": 177, "c": 178}), (1.0, {"b": 50, "a": 1000, "c": 3000})],
)
def test_even_memories_hold_alike_and_small_layers_wholly(fraction, counts):
    found = choose(SIZES, RandomSparse(fraction, scope="even"), 5)
    assert {name: len(p) for name, p in found.items()} == counts


def test_a_larger_even_memory_keeps_the_weights_of_a_smaller_one():
    few, more = (choose(SIZES, RandomSparse(f, scope="even"), 1) for f in (0.02, 0.2))
    assert all(set(few[name].tolist()) <= set(more[name].tolist()) for name in SIZES)


def test_layers_may_have_fractions_of_their_own():
    found = choose(SIZES, RandomSparse(0.1, layers=(("a", 0.0), ("[ab]", 1.0))), 5)
    assert {name: len(p) for name, p in found.items()} == {"a": 0, "b": 50, "c": 300}


@pytest.mark.parametrize("scope", ["layer", "total"])
def test_importance_takes_the_largest_scores(scope):
    scores = {name: torch.rand(size) for name, size in SIZES.items()}
    scores["b"] += 0.5
    found = choose(SIZES, RandomSparse(0.1, select="importance", scope=scope), 5, scores)
    chosen = {name: scores[name][p] for name, p in found.items()}
    left = {name: scores[name][torch.isin(torch.arange(SIZES[name]), p, invert=True)] for name, p in found.items()}
    if scope == "layer":
        assert {name: len(p) for name, p in found.items()} == {"a": 100, "b": 5, "c": 300}
        assert all(chosen[name].min() > left[name].max() for name in SIZES)
    else:
        assert sum(len(p) for p in found.values()) == 405
        assert min(c.min() for c in chosen.values()) > max(v.max() for v in left.values())
        assert len(found["b"]) > 25


def test_of_equal_scores_the_first_position_wins():
    found = choose({"a": 6}, RandomSparse(0.5, select="importance"), 0, {"a": torch.tensor([1.0, 0, 1, 2, 1, 1])})
    assert found["a"].tolist() == [0, 2, 3]


def test_positions_are_wired_the_same_on_all_chips():
    net = nn.Sequential(nn.Linear(20, 10))
    found = []
    for chips in (1, 4, [7]):
        model = mho.convert_to_analog(net, ideal(), chips=chips, seed=11)
        (layer,) = attach(model, RandomSparse(0.2)).values()
        assert layer.values.shape == (model[0].values.shape[0], 42)  # 10 x (20 + the bias in the array)
        found.append(layer.positions.tolist())
    assert found[0] == found[1] == found[2]
    model = mho.convert_to_analog(net, ideal(), seed=12)
    assert next(iter(attach(model, RandomSparse(0.2)).values())).positions.tolist() != found[0]
    assert next(iter(attach(model, RandomSparse(0.2), seed=11).values())).positions.tolist() == found[0]


def test_a_bias_in_the_digital_part_is_no_weight_of_the_array():
    model = mho.convert_to_analog(nn.Sequential(nn.Linear(20, 10)), ideal(bias="digital"))
    assert attach(model, RandomSparse(1.0))["0"].positions.tolist() == list(range(200))


NUMBER = st.floats(-1e4, 1e4, width=32).filter(lambda v: v == 0 or abs(v) > 1e-6)


@given(st.lists(NUMBER, min_size=1, max_size=20), st.integers(2, 12))
def test_quantised_values_lie_on_a_grid_of_their_bits(numbers, bits):
    values = torch.tensor([numbers])
    found = quantised(values, bits)
    top, largest = 2 ** (bits - 1) - 1, float(values.abs().max())
    if largest == 0:
        assert torch.equal(found, values)
        return
    steps = [2.0**e for e in range(-60, 20) if 2.0**e * top >= largest]
    step = steps[0]  # the smallest power of two at which the largest value fits
    codes = found.double() / step
    assert torch.equal(codes, codes.round())
    assert float(codes.abs().max()) <= top
    assert float((found.double() - values.double()).abs().max()) <= step / 2
    assert torch.equal(quantised(found, bits), found)


def test_chips_have_steps_of_their_own_and_gradients_pass_straight_through():
    values = torch.tensor([[0.3, -1.0, 0.0], [0.003, -0.01, 0.004]], requires_grad=True)
    found = quantised(values, 3)  # -3 to 3 steps: of 0.5, and of 1/256
    expected = torch.tensor([[0.5, -1.0, 0.0], [0.00390625, -0.01171875, 0.00390625]])
    assert torch.equal(found, expected)
    (found * torch.arange(6.0).view(2, 3)).sum().backward()
    assert torch.equal(values.grad, torch.arange(6.0).view(2, 3))
    assert quantised(values, None) is values
