"""The table of a sweep: written, read, and damaged."""

from __future__ import annotations

import pytest

from mho.errors import CheckpointError
from mho.sweep.table import CSV, TABLE, field_kind, read, write
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
    ("values", "kind"),
    [([1, None, 2], "int64"), ([1, 2.0], "float64"), (["a", None], "string"), ([[1, 2]], "string"),
     ([True], "string"), ([2**64 - 1, 0], "string"), ([None], "string")],
)  # fmt: skip
def test_types_of_columns(values, kind):
    assert field_kind(values) == kind
