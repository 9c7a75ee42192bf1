"""Settings of programming: any go to TOML and back, impossible ones are refused with reasons, presets are rows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.devices import ConstantStep, Spread, catalogue
from mho.devices.unipolar_soft_bounds import UnipolarSoftBounds
from mho.errors import ConfigError, SettingsError
from mho.inference import (
    Conductances,
    Programming,
    StuckFaults,
    Timing,
    Verify,
    WriteError,
    measure_error,
    preset,
    preset_rows,
)
from mho.inference.ageing_settings import Ageing, Drift
from mho.inference.files import dump_programming, load_programming
from mho.inference.reram_rows import ROWS

positive = st.floats(1e-9, 1e9)
spreads = st.floats(0.0, 10.0)


def over_chips(numbers):
    return st.one_of(numbers, st.lists(numbers, min_size=3, max_size=3).map(tuple))


windows = st.tuples(st.floats(0, 1e-3), positive).map(lambda w: {"g_min": w[0], "g_max": w[0] + w[1]})
conductances = st.builds(
    lambda window, **rest: Conductances(**window, **rest), windows,
    layout=st.sampled_from(["pair", "offset", "single"]), levels=st.none() | st.integers(2, 10**6),
    reach=st.sampled_from(["tile", "output", "device"]),
)  # fmt: skip
rows = st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 1), spreads), min_size=1, max_size=4, unique_by=lambda r: r[0])
errors = st.one_of(
    st.builds(
        WriteError, st.sampled_from(["none", "additive", "multiplicative", "log-normal"]), over_chips(spreads),
        over_chips(spreads),
    ),
    st.builds(
        WriteError, st.just("polynomial"), spreads,
        coefficients=st.lists(st.floats(-9, 9), min_size=1, max_size=5).map(tuple),
    ),
    st.builds(WriteError, st.just("levels"), spreads, table=rows.map(sorted).map(tuple)),
)  # fmt: skip
faults = st.builds(
    StuckFaults, over_chips(st.floats(0, 0.5)), over_chips(st.floats(0, 0.5)),
    st.sampled_from(["independent", "rows", "columns", "clusters"]), st.integers(1, 99),
)  # fmt: skip
verifies = st.builds(
    Verify, over_chips(positive), over_chips(spreads), st.integers(1, 999), st.just("tune"), st.integers(1, 99),
    st.integers(0, 999), over_chips(positive), over_chips(spreads), over_chips(spreads),
)  # fmt: skip
settings = st.builds(
    Programming, conductances, errors, faults, st.none() | verifies,
    st.builds(Timing, spreads, spreads, st.integers(1, 10**6), spreads, spreads),
    st.builds(Ageing, drift=st.builds(Drift, nu=over_chips(spreads))),
    st.sampled_from(["none", "global", "column", "tile"]),
)  # fmt: skip


@given(settings)
def test_settings_round_trip_through_a_file(tmp_path_factory, found: Programming) -> None:
    path = tmp_path_factory.mktemp("settings") / "programming.toml"
    path.write_text(dump_programming(found), encoding="utf-8")
    assert load_programming(path) == found


@pytest.mark.parametrize("row", preset_rows(), ids=lambda row: row.name)
def test_presets_round_trip_and_say_where_they_come_from(row, tmp_path) -> None:
    path = tmp_path / "programming.toml"
    path.write_text(dump_programming(row.settings), encoding="utf-8")
    assert load_programming(path) == row.settings == preset(row.name)
    assert row.source
    assert row.description.endswith(".")


def test_the_numbers_of_charan_2020() -> None:
    found = preset("charan-2020")
    assert found == Programming(
        Conductances("pair", levels=16), WriteError("multiplicative", c2c=0.1), StuckFaults(low=0.0904, high=0.0175)
    )
    swapped = found.with_({"faults.low": 0.0175, "faults.high": 0.0904})
    assert (swapped.faults.low, swapped.faults.high) == (0.0175, 0.0904)
    assert preset("charan-2020-log-normal").with_({"error.model": "multiplicative"}) == found


def test_changed_copies_are_named_by_path_or_end() -> None:
    found = Programming().with_(layout="single", faults__low=0.1, compensation="tile", levels=4)
    assert found.conductances == Conductances("single", levels=4)
    assert found.faults.low == 0.1
    assert Programming().with_(verify={"tolerance": 0.1}).verify == Verify(tolerance=0.1)
    assert found.with_(verify="none") == found
    with pytest.raises(ConfigError, match="did you mean 'layout'"):
        Programming().with_(layuot="pair")


BAD = [
    (lambda: Conductances(g_min=2e-5, g_max=1e-5), "g_min: is 2e-05 S, but g_max is 1e-05 S: .* wrong way round; exch"),
    (lambda: Conductances(g_min=1e-5, g_max=1e-5), "the wrong way round"),
    (lambda: Conductances(g_min=-1e-6), "not negative, found -1e-06"),
    (lambda: Conductances(g_max=math.nan), "g_max: expected a finite number, found nan"),
    (lambda: Conductances(levels=1), r"levels: is at least 2 .*, found 1; \"none\" is continuous"),
    (lambda: Conductances(levels=2.5), "levels: expected a whole number"),  # type: ignore[arg-type]
    (lambda: Conductances("pairs"), "layout: expected one of pair, offset, single, found 'pairs'; did you mean 'pair'"),
    (lambda: WriteError("additive", c2c=-0.1), "c2c: is a standard deviation, not negative, found -0.1; 0 turns"),
    (lambda: WriteError("gauss"), "model: expected one of none, additive"),  # type: ignore[arg-type]
    (lambda: WriteError("polynomial", c2c=1.0), r"coefficients: go with model = \"polynomial\", found \(\)"),
    (lambda: WriteError("additive", coefficients=(1.0,)), "coefficients: go with model"),
    (lambda: WriteError("levels", c2c=1.0), "table: goes with model = \"levels\", found 0 rows and 'levels'"),
    (lambda: WriteError("levels", table=((1, 0, 0), (0, 0, 0))), r"in order of x, .*found x = \[1.0, 0.0\]"),
    (lambda: WriteError("levels", table=((0, 0, -1),)), "table: has a negative standard deviation"),
    (lambda: WriteError("levels", table=((0, 0),)), "table: expected a list, each"),  # type: ignore[arg-type]
    (lambda: StuckFaults(low=9.04), "low: is a share of the devices, from 0 to 1, found 9.04; 9.04 % is 0.0904"),
    (lambda: StuckFaults(low=0.6, high=0.5), "low: and high are shares of the same devices, found 0.6 and 0.5: more"),
    (lambda: StuckFaults((0.1, 0.6), (0.2, 0.5)), "more than all"),
    (lambda: StuckFaults(kind="row"), "kind: .*did you mean 'rows'"),  # type: ignore[arg-type]
    (lambda: StuckFaults(size=0), "size: is the edge of a cluster"),
    (lambda: Verify(tolerance=0.0), "tolerance: is a share of the window above 0, found 0.0; 0.01 is 1 %"),
    (lambda: Verify(read_noise=-1.0), "read_noise: is a standard deviation, not negative"),
    (lambda: Verify(iterations=0), "iterations: is a whole number of at least 1, found 0"),
    (lambda: Verify(iterations=70_000), "iterations: are at most 65535, which draws are numbered for, found 70000"),
    (lambda: Verify(strategy="retry"), "strategy: expected one of tune, rewrite"),  # type: ignore[arg-type]
    (lambda: Timing(pulse=-1e-6), "pulse: is a time in seconds, not negative, found -1e-06"),
    (lambda: Timing(parallel=0), "parallel: is how many devices are written at once, at least 1, found 0"),
    (lambda: Programming(verify=Verify(strategy="rewrite")), 'verify.strategy: "rewrite" writes with a fresh error'),
    (lambda: Programming(error=0.1), "error: expected a table of model, c2c"),  # type: ignore[arg-type]
    (lambda: Programming(compensation="row"), "compensation: expected one of none, global, column, tile"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "text"), BAD, ids=range(len(BAD)))
def test_impossible_settings_are_refused_with_reasons(make, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        make()


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.device)
def test_measured_rows_are_what_the_command_measures(row) -> None:
    """The same on this machine to the last digit; a bit of rounding in a law may move one device in thousands."""
    found = measure_error(catalogue.device(row.device), used=row.used)
    assert found.error.d2d == pytest.approx(row.error.d2d, abs=0.01)
    for ours, theirs in zip(found.error.table, row.error.table, strict=True):
        assert ours == pytest.approx(theirs, abs=0.002)
    assert found.pulses == pytest.approx(row.pulses, rel=0.02)
    assert (found.reads, found.missed) == (row.reads, pytest.approx(row.missed, abs=0.005))


def test_a_device_without_noise_is_programmed_to_the_tolerance() -> None:
    device = ConstantStep(dw_min=Spread(0.004), w_max=Spread(1.0), w_min=Spread(-1.0), up_down=Spread(1.0), c2c=0.0)
    found = measure_error(device, tolerance=0.01, devices=256, rows=5)
    assert found.missed == 0
    for _, mean, spread in found.error.table:
        assert abs(mean) < 0.004
        assert spread < 0.01
    assert 20 < found.pulses < 200  # up to 375 steps of the window


def test_a_device_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ConfigError, match="measure_error programs single devices, and UnipolarSoftBounds has no two"):
        measure_error(UnipolarSoftBounds())
