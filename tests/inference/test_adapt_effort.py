"""Time and energy of adaptation and of read-verify-write follow from counts, as a hand would reckon them."""

from dataclasses import dataclass

import numpy as np
import pytest

from mho.errors import ConfigError
from mho.inference.adapt_report import AdaptReport, LayerMemory
from mho.inference.effort import compare_effort
from mho.inference.effort_settings import UNITS, EffortAssumptions


@dataclass
class Layer:
    name: str
    devices: int


class Written:
    """What is used of a `ProgramReport`."""

    def __init__(self, pulses, reads, layers=(("a", 200), ("b", 40))) -> None:
        self.pulses, self.reads = np.array(pulses), np.array(reads)
        self.layers = tuple(Layer(*one) for one in layers)


LAYERS = (
    LayerMemory("a", 100, 10, 8, outputs=20, inputs=5, forward=600, backward=0),
    LayerMemory("b", 20, 2, 8, outputs=4, inputs=5, forward=100, backward=50),
)
ADAPTED = AdaptReport(LAYERS, 10, 30, ((1.0, 1.0),), (50.0, 60.0), (90.0, 91.0))
ONCE = Written([240.0, 240.0], [0.0, 0.0])
VERIFIED = Written([1240.0, 640.0], [1000.0, 500.0])
ROUND = EffortAssumptions(
    rram_write=(1e-6, 1e-3), rram_read=1e-7, sram_write=1e-9, product=1e-8, macs=1e-9, macs_parallel=2, update_macs=10,
    write_power=1e-3, read_power=1e-6, conversion=1e-12, mac_energy=1e-12, sram_bit=1e-13,
)  # fmt: skip


def test_seconds_and_joules_follow_from_counts():
    found = compare_effort(ADAPTED, ONCE, VERIFIED, assumptions=ROUND)
    rows = {(row.method, row.work): row for row in found.rows}
    written = rows["read-verify-write", "write pulses"]
    np.testing.assert_allclose(written.seconds, [[1240e-6, 640e-6], [1.24, 0.64]])
    np.testing.assert_allclose(written.joules, [[1.24e-6, 0.64e-6], [1.24e-3, 0.64e-3]])
    reads = rows["read-verify-write", "readings"]
    np.testing.assert_allclose(reads.seconds, [[1e-4, 5e-5]] * 2)
    np.testing.assert_allclose(reads.joules, [[1000 * (1e-13 + 1e-12), 500 * (1e-13 + 1e-12)]] * 2)
    assert ("programming", "readings") not in rows
    products = rows["adaptation", "array products"]
    np.testing.assert_allclose(products.seconds, [[750e-8] * 2] * 2)
    np.testing.assert_allclose(products.joules, 600 * (200e-14 + 25e-12) + 150 * (40e-14 + 9e-12))
    macs = rows["adaptation", "multiply-adds"]
    count = 10 * (1200 + 300) + 2 * (250 + 300)
    np.testing.assert_allclose(macs.count, count)
    np.testing.assert_allclose(macs.seconds, count * 0.5e-9)
    np.testing.assert_allclose(macs.joules, count * 1.8e-12)
    writes = rows["adaptation", "digital writes"]
    np.testing.assert_allclose(writes.count, 30 * 12)
    np.testing.assert_allclose(writes.seconds, 360e-9)
    np.testing.assert_allclose(writes.joules, 360 * 8 * 1e-13)


def test_speed_ups_are_ratios_of_these():
    found = compare_effort(ADAPTED, ONCE, VERIFIED, assumptions=ROUND)
    adaptation = 7.5e-6 + 16100 * 0.5e-9 + 360e-9
    np.testing.assert_allclose(found.seconds("adaptation"), adaptation)
    np.testing.assert_allclose(found.speed_up[0], (np.array([1000e-6 + 1e-4, 400e-6 + 5e-5])) / adaptation)
    np.testing.assert_allclose(found.speed_up_in_all[1, 0], (1.24 + 1e-4) / (0.24 + adaptation))
    assert (found.energy_ratio > 0).all()


def test_what_runs_at_once_takes_less_time_and_as_much_energy():
    both = [
        compare_effort(ADAPTED, ONCE, VERIFIED, assumptions=EffortAssumptions(rram_parallel=n, sram_parallel=n))
        for n in (1, 8)
    ]
    for method, share in (("programming", 8), ("read-verify-write", 8)):
        np.testing.assert_allclose(both[0].seconds(method), share * both[1].seconds(method))
        np.testing.assert_allclose(both[0].joules(method), both[1].joules(method))


def test_the_table_states_every_assumption():
    text = str(compare_effort(ADAPTED, ONCE, VERIFIED))
    for name in UNITS:
        assert f"{name} = " in text
    assert "6.5e-06 to 0.0045" in text
    assert set(UNITS) == set(EffortAssumptions.__dataclass_fields__)
    for work in ("array products", "digital writes", "readings", "speed-up of the correction"):
        assert work in text


def test_reports_of_other_models_or_chips_are_refused():
    with pytest.raises(ConfigError, match="not the same layers"):
        compare_effort(ADAPTED, Written([1.0, 1.0], [0.0, 0.0], (("a", 9),)), VERIFIED)
    with pytest.raises(ConfigError, match="2 adapted, 2 programmed and 3 verified chips"):
        compare_effort(ADAPTED, ONCE, Written([1.0] * 3, [0.0] * 3))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [({"product": 0.0}, "product"), ({"rram_write": (2.0, 1.0)}, "shortest"), ({"rram_parallel": -1}, "rram_parallel")],
)
def test_impossible_assumptions_are_refused(wrong, text):
    with pytest.raises(ConfigError, match=text):
        EffortAssumptions(**wrong)
