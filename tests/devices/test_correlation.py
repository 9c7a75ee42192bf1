"""Correlated device parameters: drawn as stated, refused where impossible, kept in files."""

from __future__ import annotations

import numpy as np
import pytest

from mho.config import AnalogConfig, RunConfig
from mho.config.toml import dump, load, loads
from mho.devices import SoftBounds, Spread
from mho.devices.base import law_arguments
from mho.errors import ConfigError
from mho.tiles.draw import TileDraw
from mho.units import Window

GIVEN = (("dw_min", "w_max", 0.6), ("w_max", "w_min", -0.6), ("up_down", "dw_min", 0.3))


def draw_of(correlations, shape=(1, 200, 200)):
    return TileDraw(1, (0,), "tile", shape, correlations)


def test_draws_have_the_stated_correlations_and_unchanged_spreads():
    device = SoftBounds(correlations=GIVEN)
    draw = draw_of(device.correlations)
    named = {s.name: draw(s).reshape(-1) for s in (device.dw_min, device.w_max, device.w_min)}
    found = np.corrcoef(np.stack(list(named.values())))
    n, limit = 40_000, 4.4  # two-sided, false-alarm rate 1e-5 each
    # w_min is negative: its value falls where its draw rises
    for (i, j), rho in {(0, 1): 0.6, (1, 2): 0.6, (0, 2): 0.0}.items():
        assert found[i, j] == pytest.approx(rho, abs=limit * (1 - rho**2) / n**0.5 + 0.004)  # 0.004: folded draws
    assert named["w_max"].std() == pytest.approx(0.18, rel=0.02)


def test_fields_that_are_not_named_and_the_first_of_them_keep_their_draws():
    device, plain = SoftBounds(correlations=GIVEN), SoftBounds()
    some = SoftBounds(correlations=[("dw_min", "w_max", 0.6)])
    with_, without = draw_of(some.correlations), draw_of(())
    for s in (plain.dw_min, plain.w_min, plain.up_down):
        np.testing.assert_array_equal(with_(s), without(s))
    assert not np.array_equal(with_(plain.w_max), without(plain.w_max))
    assert set(law_arguments(SoftBounds)) <= set(device.cells(draw_of(device.correlations)))


def test_full_correlation_is_a_draw_like_any_other():
    device = SoftBounds(correlations=[("dw_min", "w_max", 1.0)])
    draw = draw_of(device.correlations, (1, 20, 20))
    step, top = draw(Spread(1.0, d2d=0.1, name="dw_min")), draw(Spread(1.0, d2d=0.1, name="w_max"))
    np.testing.assert_allclose(step, top, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ([("dw_min", "w_mix", 0.5)], "did you mean 'w_min' or 'w_max'"),
        ([("dw_min", "c2c", 0.5)], "no Spread field"),
        ([("dw_min", "w_max", 1.5)], "from -1 to 1"),
        ([("dw_min", "w_max", float("nan"))], "from -1 to 1"),
        ([("dw_min", "dw_min", 0.5)], "itself"),
        ([("dw_min", "w_max", 0.5), ("w_max", "dw_min", 0.5)], "twice"),
        ([("dw_min", "w_max")], "name, name, coefficient"),
        ([("dw_min", "w_max", 0.9), ("w_max", "w_min", 0.9), ("dw_min", "w_min", -0.9)], "eigenvalue"),
    ],
)
def test_impossible_correlations_are_refused(given, word):
    with pytest.raises(ConfigError, match=word):
        SoftBounds(correlations=given)


def test_correlations_units_and_marks_survive_a_file():
    device = SoftBounds(correlations=GIVEN, window=Window(1e-6, 25e-6), shifted=True, diffusion=[0.0, 1e-4])
    config = AnalogConfig(device=device)
    assert loads(dump(config), AnalogConfig) == config
    run = RunConfig().with_({"device.correlations": [["dw_min", "w_max", 0.5]], "device.window": {"low": 0, "high": 1}})
    assert run.analog.device.correlations == (("dw_min", "w_max", 0.5),)
    assert run.analog.device.window == Window(0.0, 1.0)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"correlations": [["dw_min", "w_max"]]}, r"expected a list, each \[a text, a text, a finite number\]"),
        ({"window": {"low": 1e-6}}, "high"),
        ({"window": {"low": 2e-6, "high": 1e-6}}, "low < high"),
        ({"window": {"low": 0.0, "high": 1e-6, "hi": 1}}, "hi"),
    ],
)
def test_wrong_settings_in_a_file_are_named(table, word):
    with pytest.raises(ConfigError, match=word):
        load({"device": {"law": "soft-bounds", **table}})


def test_a_window_converts_both_ways():
    window = Window(1e-6, 25e-6)
    w = np.linspace(-1.2, 1.2, 5)
    np.testing.assert_allclose(window.to_weight(window.to_siemens(w)), w, rtol=0, atol=1e-12)
    assert window.to_siemens(1.0) == pytest.approx(25e-6)
    assert window.to_weight(1e-6) == pytest.approx(-1.0)
