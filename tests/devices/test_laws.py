"""Every law that mho ships: it stays in its bounds, moves the right way, and runs on torch with gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.laws import Everything, Tiring
from mho.devices import (
    Capacitor,
    ConstantStep,
    Device,
    ExpStep,
    JumpStep,
    LinearStep,
    OneSided,
    PhaseChange,
    PowStep,
    PowStepReference,
    SoftBounds,
    SoftBoundsPmax,
    SoftBoundsReference,
    Spread,
    law,
)  # fmt: skip
from mho.devices.base import MeanDraw, law_arguments
from mho.errors import ConfigError, LawError, SettingsError
from mho.tiles.draw import TileDraw

BUILT_IN = [
    ConstantStep(dw_min=0.01),
    LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.6),
    LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.6, additive=True, mean_bounds=True),
    SoftBounds(dw_min=0.01),
    SoftBoundsReference(dw_min=0.01, additive=True),
    PowStep(dw_min=0.01, pow_gamma=0.5),
    PowStepReference(dw_min=0.01, pow_gamma=2.0, pow_up_down=1.5),
]
ALL = [*BUILT_IN, ExpStep(dw_min=0.01), SoftBoundsPmax(alpha=0.01), Tiring(), Everything()]
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


@pytest.mark.parametrize("device", [LinearStep, SoftBounds, SoftBoundsReference, PowStep])
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
@pytest.mark.parametrize("kind", [ConstantStep, LinearStep, SoftBounds, ExpStep, PowStep])
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
@pytest.mark.parametrize("device", [ConstantStep, LinearStep, SoftBounds, SoftBoundsPmax, ExpStep, OneSided])
def test_impossible_cycle_noise_is_refused(device, c2c):
    with pytest.raises(ConfigError, match="c2c"):
        device(c2c=c2c)


def test_everything_that_is_impossible_is_told_at_once():
    with pytest.raises(SettingsError) as error:
        SoftBounds(dw_min=-1.0, c2c=-0.1, w_min=0.7, write_noise=-2.0)
    assert [name for name, _ in error.value.problems] == ["write_noise", "dw_min", "c2c", "w_min"]
    with pytest.raises(SettingsError) as error:
        OneSided(dw_min="much", w_max=[], upper=0.5)
    assert [name for name, _ in error.value.problems] == ["dw_min", "w_max"]


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        (SoftBoundsPmax, {"p_max": 0}, "p_max"),
        (SoftBoundsPmax, {"range_min": 0.7}, "range_min"),
        (ExpStep, {"c2c_slope": -1}, "c2c_slope"),
        (PowStep, {"pow_gamma": 0}, "pow_gamma"),
        (PowStep, {"pow_up_down": -1}, "pow_up_down"),
        (OneSided, {"lower": -0.1}, "lower"),
        (JumpStep, {"jump": 1.0}, "jump"),
        (JumpStep, {"delay": -1}, "delay"),
        (PhaseChange, {"c2c_add": float("inf")}, "c2c_add"),
    ],
)
def test_impossible_fields_of_single_laws_are_named(kind, fields, name):
    with pytest.raises(SettingsError) as error:
        kind(**fields)
    assert [field for field, _ in error.value.problems] == [name]


@pytest.mark.parametrize(
    "device",
    [
        SoftBounds(dw_min=0.01, up_down=2.0, w_max=0.8),
        SoftBoundsReference(dw_min=0.01, up_down=2.0, w_max=0.8, reference=0.1),
        SoftBoundsReference(dw_min=0.01, up_down=2.0, w_max=0.8, subtract_symmetry_point=True),
        SoftBoundsReference(dw_min=0.01, up_down=2.0, reference=0.05, subtract_symmetry_point=True),
        SoftBoundsPmax(p_max=300, alpha=0.004, range_min=-0.5, range_max=0.8),
        LinearStep(dw_min=0.01, up_down=1.3, gamma_up=0.7, gamma_down=0.9, w_max=0.8),
        Capacitor(up_down=1.05),
        ExpStep(dw_min=0.01, up_down=1.35, A_up=-1.2, A_down=-0.1, gamma_up=5.0, gamma_down=5.0, a=-0.5, b=-0.5),
        PowStep(dw_min=0.01, up_down=1.5, w_max=0.9, pow_gamma=0.5),
        PowStep(dw_min=0.01, up_down=1.5, w_max=0.9, pow_gamma=3.0, full_range=True),
        PowStepReference(dw_min=0.01, up_down=1.5, pow_gamma=0.5, reference=-0.1),
        PowStepReference(
            dw_min=0.01, up_down=1.5, pow_gamma=0.5, pow_up_down=2.0, subtract_symmetry_point=True, reference=0.02
        ),
    ],
    ids=lambda d: type(d).__name__,
)
def test_steps_balance_at_the_symmetry_point_and_nowhere_near_it(device):
    at = device.symmetry_point()
    size = device.granularity()[0]

    def net(w):
        return sum(float(stepped(device, [w], up)[0]) - w for up in (True, False))

    assert abs(net(at)) < 1e-3 * size
    assert net(at - 0.05) > 2e-3 * size
    assert net(at + 0.05) < -2e-3 * size


def test_symmetry_points_over_chips_and_none():
    assert SoftBounds(up_down=[1.0, 3.0]).symmetry_point() == pytest.approx((0.0, 0.3))  # b (r - 1)/(r + 1)
    assert LinearStep().symmetry_point() is None
    assert ConstantStep(up_down=2.0).symmetry_point() is None
    assert ExpStep().symmetry_point() is None  # two different gammas: no formula
    assert PowStep(pow_up_down=2.0).symmetry_point() is None


def test_additive_noise_is_as_large_at_every_state_and_multiplicative_fades():
    for kind, shape in ((LinearStep, {"gamma_up": 0.8, "gamma_down": 0.8}), (SoftBoundsReference, {})):
        w = np.array([0.0, 0.3, 0.5], np.float32)
        for additive, expected in ((True, [0.003, 0.003, 0.003]), (False, None)):
            device = kind(dw_min=0.01, c2c=0.3, additive=additive, **shape)
            quiet = stepped(device, w, True) - w
            noise = stepped(device, w, True, 1.0) - w - quiet
            np.testing.assert_allclose(noise, 0.3 * quiet if expected is None else expected, atol=2e-7)


def test_a_slope_by_mean_bounds_is_the_same_for_all_devices():
    draw = TileDraw(0, (0, 1), "t", (1, 8, 8))
    fields = {"w_max": Spread([0.5, 1.0], d2d=0.2), "gamma_up": 0.4}
    own, mean = (LinearStep(**fields, mean_bounds=m).cells(draw)["slope_up"] for m in (False, True))
    assert own.std() > 0.05
    assert np.unique(mean).tolist() == pytest.approx([0.4, 0.8])


def test_pulses_to_saturation_follow_their_curve():
    device = SoftBoundsPmax(p_max=200, alpha=0.01, range_min=-0.4, range_max=0.8, c2c=0.0)
    w, b = np.full(1, -0.4, np.float32), 1.2 / (1 - np.exp(-0.01 * 200))
    for pulse in range(1, 201):
        w = stepped(device, w, True)
        assert w[0] == pytest.approx(-0.4 + b * (1 - np.exp(-0.01 * pulse)), abs=2e-5)
    assert w[0] == pytest.approx(0.8, abs=2e-5)


def test_a_power_step_is_wus_response_or_the_kits():
    w = np.array([-0.3, 0.0, 0.4], np.float32)
    wu = PowStep(dw_min=0.01, w_max=0.5, w_min=-0.5, pow_gamma=0.5)
    np.testing.assert_allclose(stepped(wu, w, True) - w, 0.01 * (1 - w / 0.5) ** 0.5, atol=1e-7)
    np.testing.assert_allclose(stepped(wu, w, False) - w, -0.01 * (1 + w / 0.5) ** 0.5, atol=1e-7)
    kit = PowStep(dw_min=0.01, w_max=0.5, w_min=-0.7, pow_gamma=1.5, pow_up_down=2.0, full_range=True)
    np.testing.assert_allclose(stepped(kit, w, True) - w, 0.01 * ((0.5 - w) / 1.2) ** 2.0, atol=1e-7)
    np.testing.assert_allclose(stepped(kit, w, False) - w, -0.01 * ((w + 0.7) / 1.2) ** 1.0, atol=1e-7)


def test_a_power_of_one_is_soft_bounds():
    w = np.linspace(-0.55, 0.55, 12, dtype=np.float32)
    soft = SoftBounds(dw_min=0.01, up_down=1.5, w_max=0.7)
    power = PowStep(dw_min=0.01, up_down=1.5, w_max=0.7, pow_gamma=1.0)
    for up in (True, False):
        np.testing.assert_allclose(stepped(power, w, up, 0.4), stepped(soft, w, up, 0.4), atol=2e-7)


def test_an_exponential_step_has_its_noise_and_stops_where_its_curve_does():
    shape = {"dw_min": 0.01, "w_max": 1.0, "w_min": -1.0, "A_up": 0.5, "gamma_up": 4.0, "a": 0.5, "b": 0.1}
    device = ExpStep(**shape, c2c=0.5, c2c_add=0.002, c2c_slope=0.01)
    w = np.array([-0.4, 0.1, 0.9], np.float32)
    size = 0.01 * np.maximum(1 - 0.5 * np.exp(4.0 * (0.5 * w + 0.1)), 0)
    np.testing.assert_allclose(stepped(device, w, True) - w, size, atol=1e-7)
    assert size[2] == 0  # saturated: the mean step is 0, noise is left
    noise = 0.5 * (size + 0.002 + 0.01 * np.abs(w))
    np.testing.assert_allclose(stepped(device, w, True, 1.0) - w - size, noise, atol=1e-7)


@pytest.mark.parametrize("kind", [SoftBoundsReference, PowStepReference])
def test_a_reference_shifts_every_device_to_its_own_symmetry_point(kind):
    fields = {"dw_min": Spread(0.01, d2d=0.2), "up_down": Spread(1.5, d2d=0.1)}
    fields |= {"w_max": Spread(0.6, d2d=0.1), "w_min": Spread(-0.6, d2d=0.1)}  # no bound within a step of 0
    device = kind(**fields, subtract_symmetry_point=True)
    cells = device.cells(TileDraw(0, (0,), "t", (1, 16, 16)))
    given = [np.broadcast_to(np.asarray(cells[n], np.float32), (1, 1, 16, 16)) for n in law_arguments(kind)]
    zero = np.zeros((1, 1, 16, 16), np.float32)
    up, down = (device.pulse(zero, np.full(zero.shape, u), zero, *given) for u in (True, False))
    assert up.std() / up.mean() > 0.1
    np.testing.assert_allclose(up, -down, rtol=2e-4)
    middle = (cells["top"] + cells["bottom"]) / 2
    assert middle.mean() < -0.05  # the range is off-centre


def test_the_error_of_a_reference_spreads_the_zero():
    exact, copied = (
        SoftBoundsReference(subtract_symmetry_point=True, reference=Spread(0.0, std=s)).cells(
            TileDraw(0, (0,), "t", (1, 64, 64))
        )
        for s in (0.0, 0.05)
    )
    error = copied["reference"] - exact["reference"]
    assert abs(error.mean()) < 0.05 * 4 / 64
    assert error.std() == pytest.approx(0.05, rel=0.05)
    np.testing.assert_allclose(exact["top"] - copied["top"], error, atol=1e-6)


def test_a_capacitor_leaks_and_diffuses_unless_told_otherwise():
    assert Capacitor().leak.lifetime.mean == 1e6
    assert Capacitor().diffusion == 1e-4
    still = Capacitor(leak=None, diffusion=0.0)
    assert still.leak is None
    assert still.granularity() == pytest.approx(0.005)
