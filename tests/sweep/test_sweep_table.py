"""The table of a sweep: written, read, and damaged."""

from __future__ import annotations

import pytest

from mho.errors import CheckpointError
from mho.sweep.engine import carry_out
from mho.sweep.files import begin, write_table
from mho.sweep.plan import plan
from mho.sweep.report.results import read_results
from mho.sweep.search.outcome import outcomes
from mho.sweep.sweep_file import loads
from mho.sweep.table import CSV, DIVERGED, DONE, FAILED, REFUSED, TABLE, field_kind, read, worst, write
from sweep.searching import Known
from sweep.tables import synthetic


def test_what_is_written_is_read(tmp_path):
    table = synthetic({"a": {"analog.device.dw_min": [0.001, 0.002]}, "b": {"epochs": [1, 2], "network": ["fcn"]}})
    write(table, tmp_path)
    found = read(tmp_path)
    assert found == table
    assert found.fields == ("analog.device.dw_min", "epochs", "network")
    assert found.rows["network"][-1] == "fcn"
    assert found.rows["epochs"][0] is None
    assert type(found.rows["epochs"][-1]) is int


def test_the_same_table_is_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(synthetic(), tmp_path / name)
    for file in (TABLE, CSV):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_table_is_named(tmp_path, damage):
    write(synthetic(), tmp_path)
    path = tmp_path / TABLE
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        raw = raw[: len(raw) // 2]
    else:
        raw[60] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"table\.parquet cannot be read"):
        read(tmp_path)


def test_rows_by_value():
    table = synthetic(failed={3: ("refused", "no such device")})
    assert len(table.where(status="refused")) == 3
    assert len(table.where(point=-1)) == 3
    assert len(table) == 3 * (25 + 1)


@pytest.mark.parametrize(
    ("status", "which"),
    [
        ((DONE, DONE, DONE), 0),
        ((DONE, FAILED, FAILED), 1),
        ((FAILED, DONE, REFUSED), 2),
        ((DONE, DIVERGED, REFUSED), 1),
    ],
)
def test_the_worst_chip_speaks_for_its_point(status, which):
    table = synthetic({"a": {"x": [0.1]}})
    rows = [row for row, point in enumerate(table.rows["point"]) if point == 0]
    for row, one in zip(rows, status, strict=True):
        table.rows["status"][row], table.rows["reason"][row] = one, f"chip {row}"
    assert worst(table.rows, rows) == rows[which]
    (point,), (outcome,) = read_results(table).points, outcomes(table, [{"x": 0.1}], None)
    assert point.status == outcome.status == status[which]
    failed = sum(one != DONE for one in status)
    assert point.reason == (f"{failed} of 3 chips: chip {rows[which]}" if failed else "")


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, None, 2], "int64"), ([1, 2.0], "float64"), (["a", None], "string"), ([[1, 2]], "string"),
     ([True], "string"), ([2**64 - 1, 0], "string"), ([None], "string")],
)  # fmt: skip
def test_types_of_columns(values, kind):
    assert field_kind(values) == kind


MIXED = """
seeds = 1
max_chips = 1
[set]
data = "digits"
epochs = 1
[[grid]]
name = "of tables and lists"
[grid.axes]
zero_shift = ["none", { pulses = 50 }]
vary = [["init"], ["init", "order"]]
"device.shifted" = [true, false]
[[grid]]
name = "of numbers and names"
[grid.axes]
"forward.adc_bits" = [7, 9, "none"]
"""


def test_values_have_one_form_from_the_first_run_to_the_end(tmp_path):
    made = begin(tmp_path / "s", plan(loads(MIXED), threads=1))
    seen = []
    for packs in (4, 8, len(made.packs)):
        carry_out(made, made.packs[:packs], Known(lambda values: 0.0), tmp_path / "s")
        seen.append(read(tmp_path / "s"))
    write_table(tmp_path / "s", made)
    whole = read(tmp_path / "s")
    assert set(whole.rows["zero_shift"]) == {None, "none", '{"pulses": 50}'}
    assert set(whole.rows["vary"]) == {None, '["init"]', '["init", "order"]'}
    assert set(whole.rows["analog.device.shifted"]) == {None, "true", "false"}
    assert set(whole.rows["analog.forward.adc_bits"]) == {None, "7", "9", "none"}
    for part in seen:
        rows = list(zip(whole.rows["chip"], whole.rows["point"], *(whole.rows[f] for f in whole.fields), strict=True))
        own = list(zip(part.rows["chip"], part.rows["point"], *(part.rows[f] for f in part.fields), strict=True))
        assert set(own) <= set(rows)
        assert read_results(part).grids
