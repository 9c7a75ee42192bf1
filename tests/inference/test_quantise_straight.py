"""Rounding that gradients pass: values and gradients against their formulas."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.inference.quantise import converted, on_levels, rounded, straight


def test_rounding_keeps_the_gradient() -> None:
    x = torch.tensor([-1.6, -0.5, 0.5, 0.4, 1.5], requires_grad=True)
    y = rounded(x)
    assert y.tolist() == [-2.0, -0.0, 0.0, 0.0, 2.0]
    (y * torch.arange(5.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_converter_has_the_levels_of_a_periphery() -> None:
    """3 bits: 2^3 - 2 = 6 steps over [-0.6, 0.6], so the levels are 0.2 apart and 0 is one."""
    x = torch.linspace(-1, 1, 201)
    y = converted(x, torch.tensor(0.6), 3)
    torch.testing.assert_close(y.unique(), torch.linspace(-0.6, 0.6, 7))
    inside = x.abs() <= 0.6
    assert float((y - x)[inside].abs().max()) <= 0.1 + 1e-6


@pytest.mark.parametrize("bits", [None, 3])
def test_gradients_of_a_converter_are_those_of_its_formula(bits: int | None) -> None:
    x = torch.tensor([-0.9, -0.33, 0.05, 0.29, 0.7], requires_grad=True)
    reach = torch.tensor(0.6, requires_grad=True)
    y = converted(x, reach, bits)
    y.sum().backward()
    assert x.grad is not None
    assert reach.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    inside = torch.tensor([-0.33, 0.05, 0.29]) / 0.6
    on = inside if bits is None else (inside * 3).round() / 3
    assert float(reach.grad) == pytest.approx(float((on - inside).sum()) - 1 + 1, abs=1e-6)


def test_the_gradient_of_the_range_of_clipped_values_is_their_sign() -> None:
    reach = torch.tensor(0.5, requires_grad=True)
    converted(torch.tensor([2.0, 3.0, -4.0, 0.1]), reach, None).sum().backward()
    assert reach.grad is not None
    assert float(reach.grad) == 1.0


@given(levels=st.integers(2, 40), reach=st.floats(0.01, 10))
def test_levels_of_weights_are_evenly_spaced_and_the_nearest_is_taken(levels: int, reach: float) -> None:
    w = torch.linspace(-1.2 * reach, 1.2 * reach, 301, requires_grad=True)
    y = on_levels(w, torch.tensor(reach), levels)
    allowed = torch.linspace(-reach, reach, levels)
    nearest = (w.detach().clamp(-reach, reach)[:, None] - allowed).abs().amin(1)
    torch.testing.assert_close((y.detach() - w.detach().clamp(-reach, reach)).abs(), nearest, rtol=1e-4, atol=1e-5)
    (3 * y).sum().backward()
    assert w.grad is not None
    assert torch.equal(w.grad, torch.full_like(w, 3.0))


def test_straight_takes_values_from_one_and_gradients_of_the_other() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = straight(w, torch.tensor([5.0, 6.0]))
    (y**2).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [10.0, 12.0]
