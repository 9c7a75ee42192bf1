"""Published devices: converted as the kit draws them, complete, and said where they were read."""

from __future__ import annotations

import numpy as np
import pytest

from mho.characterize.subject import config_of
from mho.config import AnalogConfig, dump, loads
from mho.devices import catalogue
from mho.devices.catalogue import kit_steps, kit_write_noise
from mho.devices.soft_bounds import SoftBounds
from mho.devices.steps import step_sizes
from mho.tiles.draw import TileDraw

ROWS = pytest.mark.parametrize("row", catalogue.devices(), ids=lambda row: row.name)
KIT_PRESETS = {
    "reram-es", "reram-sb", "reram-array-om", "reram-array-hfo2", "aihwkit-capacitor", "ecram", "ecram-mo",
    "aihwkit-gokmen-vlasov", "aihwkit-idealized", "pcm", "pcm-unipolar",
}  # fmt: skip


def test_every_preset_of_the_kit_is_there():
    assert {row.name for row in catalogue.devices()} == KIT_PRESETS | {"gokmen-vlasov-2016"}


@ROWS
def test_rows_say_where_they_come_from_and_survive_toml(row):
    assert row.source
    assert row.provenance.split()[0] in ("KIT", "MEM")
    config = config_of(row.device)
    assert loads(dump(config), AnalogConfig) == config


def test_both_rows_of_phase_change_are_the_same_numbers():
    pair, one = catalogue.device("pcm"), catalogue.device("pcm-unipolar")
    for name in ("dw_min", "w_max", "rise", "decay", "c2c", "c2c_add", "c2c_slope"):
        assert getattr(pair, name) == getattr(one, name)
    assert (pair.unipolar, one.unipolar) == (False, True)


def test_ranges_around_the_symmetry_point_are_marked_and_the_point_is_there():
    shifted = {row.name for row in catalogue.devices() if row.device.shifted}
    assert shifted == {"ecram", "ecram-mo", "reram-sb", "reram-array-om", "reram-array-hfo2"}
    for name in shifted:
        assert catalogue.device(name).symmetry_point() == pytest.approx(0.0, abs=1e-12)


def test_measured_faults_are_stated_but_off():
    for name, share in (("reram-array-om", "0.1348"), ("reram-array-hfo2", "0.0977")):
        row = next(r for r in catalogue.devices() if r.name == name)
        assert share in row.note
        assert row.device.faults is None


class KitDraw(TileDraw):
    """The draws of mho, from which the kit's own formula is computed beside it."""

    def drawn(self, name):
        return self.xi(f"d2d {name}")


@pytest.mark.parametrize("up_down", [-0.6, -1 / 3, 0.0, 0.1, 0.259359])
def test_converted_steps_are_the_kits_formula_device_by_device(up_down):
    dw, d2d, ud2d = 0.01, 0.2, 0.05
    fields = {k: v.named(k) for k, v in kit_steps(dw, d2d, up_down, ud2d).items()}
    draw = KitDraw(0, (0,), "t", (1, 32, 32))
    up, down = step_sizes(draw, fields["dw_min"], fields["up_down"])
    g, r = 1 + d2d * draw.drawn("dw_min"), ud2d * draw.drawn("up_down")
    np.testing.assert_allclose(up, np.abs(dw * (g + r + min(up_down, 0))), atol=2e-8)
    np.testing.assert_allclose(down, np.abs(dw * (g - r - max(up_down, 0))), atol=2e-8)


def test_a_log_normal_step_has_the_kits_median():
    fields = {k: v.named(k) for k, v in kit_steps(0.1, 0.78, 0.0, 0.01, log_normal=True).items()}
    draw = KitDraw(0, (0,), "t", (1, 32, 32))
    up, _ = step_sizes(draw, fields["dw_min"], fields["up_down"])
    g, r = np.exp(0.78 * draw.drawn("dw_min")), 0.01 * draw.drawn("up_down")
    np.testing.assert_allclose(up, np.abs(0.1 * (g + r)), rtol=2e-6)


def test_write_noise_is_restated_in_steps_at_zero():
    device = kit_write_noise(SoftBounds(dw_min=0.01), 3.0, 0.02)
    assert device.write_noise * device.granularity()[0] == pytest.approx(0.06)


def test_parameters_as_published():
    om = catalogue.device("reram-array-om")
    assert (om.dw_min.mean, om.dw_min.d2d, om.dw_min.log_normal) == (0.0949, 0.7829, True)
    assert (om.reference.std, om.subtract_symmetry_point, om.additive) == (0.05, True, True)
    sb = catalogue.device("reram-sb")
    assert (sb.w_max.mean, sb.w_min.mean) == (1.25, -0.75)
    assert (sb.w_max.d2d, sb.w_min.d2d) == (pytest.approx(0.24), pytest.approx(0.4))
    mo = catalogue.device("ecram-mo")
    assert (mo.dw_min.mean, mo.c2c, mo.gamma_up.mean, mo.gamma_down.mean) == (2.8214e-4, 2.0, 0.4152, 0.7342)
    assert catalogue.device("aihwkit-idealized").up_down.varies is False
