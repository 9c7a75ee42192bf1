"""Every law that mho ships: it stays in its bounds, moves the right way, and runs on torch with gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.laws import Everything, Tiring
from mho.devices import ConstantStep, Device, LinearStep, SoftBounds, Spread, law
from mho.devices.base import MeanDraw, law_arguments
from mho.errors import ConfigError, LawError

BUILT_IN = [
    ConstantStep(dw_min=0.01),
    LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.6),
    SoftBounds(dw_min=0.01),
]
ALL = [*BUILT_IN, Tiring(), Everything()]
BOUNDED = pytest.mark.parametrize("device", BUILT_IN, ids=lambda d: type(d).__name__)
EVERY = pytest.mark.parametrize("device", ALL, ids=lambda d: type(d).__name__)


def arguments(device, w):
    """Return extra states and parameters of a mean device, broadcast to the states w."""
    arrays = device.cells(MeanDraw())
    extra = [np.full(w.shape, start, np.float32) for start in device.state.values()]
    names = law_arguments(type(device))
    return extra + [np.full(w.shape, np.asarray(arrays[n]).reshape(-1)[0], np.float32) for n in names]


def stepped(device, w, up, xi=0.0):
    """Return the state after one pulse, on NumPy arrays."""
    w = np.asarray(w, np.float32)
    result = device.pulse(w, np.full(w.shape, up), np.full(w.shape, xi, np.float32), *arguments(device, w))
    return result[0] if device.state else result


@BOUNDED
@given(w=st.floats(-2, 2, width=32), up=st.booleans(), xi=st.floats(-6, 6, width=32))
@settings(max_examples=50)
def test_states_stay_in_bounds_and_finite(device, w, up, xi):
    after = stepped(device, [w], up, xi)
    assert after.dtype == np.float32
    assert -0.6 <= np.round(after[0], 6) <= 0.6


@EVERY
def test_up_raises_and_down_lowers(device):
    w = np.linspace(-0.5, 0.5, 21, dtype=np.float32)
    assert (stepped(device, w, True) > w).all()
    assert (stepped(device, w, False) < w).all()


@BOUNDED
def test_equal_steps_up_and_down_at_zero(device):
    up, down = (stepped(device, [0.0], u)[0] for u in (True, False))
    assert up == pytest.approx(0.01, rel=1e-5)
    assert down == pytest.approx(-0.01, rel=1e-5)
    assert device.granularity(2) == pytest.approx([0.01, 0.01], rel=1e-5)


def torch_step(device, w, up, xi, rest):
    result = device.pulse(w, torch.tensor(up), xi, *rest)
    return result[0] if device.state else result


@EVERY
def test_the_law_on_torch_equals_numpy(device):
    w = np.linspace(-0.5, 0.5, 21, dtype=np.float32)
    rest = [torch.from_numpy(a) for a in arguments(device, w)]
    for up in (True, False):
        xi = torch.full((21,), 0.7)
        result = torch_step(device, torch.from_numpy(w), np.full(21, up), xi, rest)
        np.testing.assert_allclose(result.numpy(), stepped(device, w, up, 0.7), rtol=0, atol=3e-7)


@EVERY
@pytest.mark.parametrize("up", [True, False])
def test_gradients_equal_finite_differences(device, up):
    w = np.linspace(-0.41, 0.43, 7)
    at = [w, np.full(7, 0.3), *arguments(device, w.astype(np.float32))]
    at = [torch.tensor(np.asarray(a, np.float64), requires_grad=True) for a in at]

    def step(w, xi, *rest):
        return torch_step(device, w, np.full(7, up), xi, rest)

    step(*at).sum().backward()
    exact = [a.grad.clone() if a.grad is not None else torch.zeros(7) for a in at]
    for number, gradient in enumerate(exact):
        h, moved = 1e-6, []
        for sign in (1, -1):
            there = [a.detach().clone() for a in at]
            there[number] += sign * h
            moved.append(step(*there))
        torch.testing.assert_close(gradient, (moved[0] - moved[1]) / (2 * h), rtol=1e-5, atol=1e-7)
    assert exact[0].abs().min() > 0.5  # the state itself always passes through


def test_a_law_can_be_fitted_by_gradient_descent():
    device = SoftBounds(dw_min=0.05)
    w = torch.linspace(-0.5, 0.5, 50, dtype=torch.float64)
    measured = w + 0.2 * (0.8 - w)
    rate, top = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.1, 0.6))
    optimizer = torch.optim.LBFGS([rate, top], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        zero = torch.zeros(50, dtype=torch.float64)
        out = device.pulse(w, torch.ones(50, dtype=torch.bool), zero, rate, rate, 10 * top, -top, 0.0)
        error = ((w + rate * (top - w)) - measured).square().sum() + 0 * out.sum()
        error.backward()
        return error

    optimizer.step(loss)
    assert rate.item() == pytest.approx(0.2, abs=1e-3)
    assert top.item() == pytest.approx(0.8, abs=1e-2)


def test_a_law_with_wrong_arguments_is_refused():
    class Swapped(Device):
        state = {"count": 0.0}  # noqa: RUF012

        @law
        def pulse(w, up, xi, dw, count):
            return w + dw, count

    with pytest.raises(LawError, match="w, up, xi, count"):
        law_arguments(Swapped)
    with pytest.raises(LawError, match="function"):
        law(3)


def test_a_device_that_does_not_move_at_zero_has_no_granularity():
    class Still(Device):
        dw_min: Spread = Spread(0.0)

        def cells(self, draw):
            return {"dw": draw(self.dw_min)}

        @law
        def pulse(w, up, xi, dw):
            return w + dw

    with pytest.raises(ConfigError, match="does not move"):
        Still().granularity()


def test_a_law_that_raises_is_named():
    class Misspelt(Device):
        dw_min: Spread = Spread(0.1)

        def cells(self, draw):
            return {"dw": draw(self.dw_min)}

        @law
        def pulse(w, up, xi, dw):
            return w + sqroot(dw)  # noqa: F821

    with pytest.raises(LawError, match=r"Misspelt\.pulse raised NameError: name 'sqroot'"):
        Misspelt().granularity()


def test_bounds_are_compared_chip_by_chip():
    assert ConstantStep(w_min=[-1.0, 0.1], w_max=[0.05, 1.0]).w_max.mean == (0.05, 1.0)
    with pytest.raises(ConfigError, match=r"w_min = 0\.1 is not below w_max = 0\.05"):
        ConstantStep(w_min=[-1.0, 0.1], w_max=[1.0, 0.05])


@pytest.mark.parametrize("device", [LinearStep, SoftBounds])
@pytest.mark.parametrize("bounds", [(0.1, 0.6), (0.0, 0.6), (-0.6, 0.0), (-0.6, -0.1), (-0.6, [0.6, -0.1])])
def test_steps_that_are_fractions_of_the_bounds_need_zero_between_them(device, bounds):
    with pytest.raises(ConfigError, match="0 between them"):
        device(w_min=bounds[0], w_max=bounds[1])


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"dw_min": 0.0}, "dw_min"),
        ({"dw_min": Spread(-0.1)}, "dw_min"),
        ({"up_down": 0.0}, "up_down"),
        ({"w_min": 0.7}, "wrong way round"),
        ({"w_max": [0.5, -0.7]}, "wrong way round"),
        ({"write_noise": -1.0}, "write_noise"),
        ({"dw_min": "much"}, "expected a number"),
        ({"dw_min": float("nan")}, "finite"),
    ],
)
@pytest.mark.parametrize("kind", [ConstantStep, LinearStep, SoftBounds])
def test_impossible_devices_are_refused(kind, fields, word):
    with pytest.raises(ConfigError, match=word):
        kind(**fields)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"d2d": -0.1}, "d2d"),
        ({"std": -1}, "std"),
        ({"d2d": float("inf")}, "finite"),
        ({"std": 1, "log_normal": True}, "log"),
    ],
)
def test_impossible_spreads_are_refused(fields, word):
    with pytest.raises(ConfigError, match=word):
        Spread(1.0, **fields)


@pytest.mark.parametrize("c2c", [-0.1, float("nan"), float("inf"), [0.1, -0.2]])
@pytest.mark.parametrize("device", [ConstantStep, LinearStep, SoftBounds])
def test_impossible_cycle_noise_is_refused(device, c2c):
    with pytest.raises(ConfigError, match="c2c"):
        device(c2c=c2c)
