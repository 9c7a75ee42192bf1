"""Reading measurements: what is understood, and a message with line and column for what is not."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.characterize.fitting import read_measurements
from mho.characterize.fitting.table import parse_table
from mho.errors import ConfigError, DataError

HEAD = "device,cycle,pulse,direction,conductance_S"
GOOD = [HEAD, *(f"a,1,{k},{1 if k < 6 else -1},{1e-5 + k * 1e-7:.4e}" for k in range(1, 12))]


def written(tmp_path: Path, lines: list[str] | bytes, name: str = "m.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(lines if isinstance(lines, bytes) else ("\n".join(lines) + "\n").encode())
    return path


def test_a_plain_file(tmp_path: Path) -> None:
    m = read_measurements(written(tmp_path, GOOD))
    assert m.names == ("a",)
    np.testing.assert_array_equal(m.pulse, np.arange(1, 12))
    np.testing.assert_array_equal(m.direction, [1] * 5 + [-1] * 6)
    np.testing.assert_allclose(m.siemens, 1e-5 + np.arange(1, 12) * 1e-7, rtol=1e-4)
    assert m.line[0] == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda t: b"\xef\xbb\xbf" + t, lambda t: t.replace(b"\n", b"\r\n"), lambda t: t.replace(b"\n", b"\r"),
        lambda t: b"# a comment, with a comma\n\n" + t.replace(b"\na,1,5", b"\n\n# more\na,1,5"), gzip.compress,
        lambda t: t.replace(b",", b";"), lambda t: t.replace(b",", b"\t"), lambda t: t.replace(b",", b" , "),
        lambda t: t.decode().encode("utf-16"), lambda t: t.replace(b"a,", b'"a",'), lambda t: t.rstrip(b"\n"),
    ],
)  # fmt: skip
def test_other_ways_to_write_the_same(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    plain = read_measurements(written(tmp_path, GOOD))
    other = read_measurements(written(tmp_path, change(("\n".join(GOOD) + "\n").encode()), "other.csv"))
    assert other.names == plain.names
    for name in ("cycle", "pulse", "direction", "siemens"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name))


def test_names_units_and_order(tmp_path: Path) -> None:
    lines = ["cell,n,sign,G", "b,1,+1,11", "a,1,1,12", "b,2,-1.0,13", "a,2,-1,14"]
    columns = {"device": "cell", "pulse": "n", "direction": "sign", "conductance_S": "G"}
    m = read_measurements(written(tmp_path, lines), columns=columns, unit="uS")
    assert m.names == ("b", "a")
    np.testing.assert_allclose(m.siemens, [11e-6, 13e-6, 12e-6, 14e-6])
    np.testing.assert_array_equal(m.line, [2, 4, 3, 5])
    stated = read_measurements(written(tmp_path, ["device,pulse,direction,conductance_nS", "a,1,1,5e3", "a,2,1,6e3"]))
    np.testing.assert_allclose(stated.siemens, [5e-6, 6e-6])


def test_a_start_has_no_direction_and_an_absent_reading_may_be_allowed(tmp_path: Path) -> None:
    lines = ["device,pulse,direction,conductance_S", "a,0,,1e-5", "a,1,1,", "a,2,1,1.2e-5"]
    with pytest.raises(DataError, match=r"line 3, column conductance_S: the reading is empty; .* --absent"):
        read_measurements(written(tmp_path, lines))
    m = read_measurements(written(tmp_path, lines), absent=True)
    np.testing.assert_array_equal(m.direction, [0, 1, 1])
    assert np.isnan(m.siemens[1])


def changed(line: int, text: str) -> list[str]:
    lines = list(GOOD)
    lines[line - 1] = text
    return lines


BAD = {
    "missing column": ([GOOD[0].replace("pulse", "puls"), *GOOD[1:]], r"no column 'pulse' .* --column pulse=puls"),
    "no rows": ([HEAD], "names columns but has no rows"),
    "nothing": ([""], "holds no lines"),
    "twice": ([HEAD.replace("cycle", "pulse"), *GOOD[1:]], "two columns are named 'pulse'"),
    "word": (changed(4, "a,1,3,1,high"), r"line 4, column conductance_S: 'high' is no number"),
    "decimal comma": ([*(g.replace(",", ";") for g in GOOD[:3]), "a;1;3;1;1,2e-5"],
                      r"line 4, column conductance_S: '1,2e-5' is no number; decimals are written with a point"),
    "mixed": (changed(5, "a;1;4;1;1e-5"), r"line 5: fields are separated by a semicolon, but by a comma"),
    "few fields": (changed(5, "a,1,4"), r"line 5: 3 fields where the line of names has 5; from column direction on"),
    "more fields": (changed(5, "a,1,4,1,1e-5,7"), r"line 5: 6 fields where the line of names has 5; there is more"),
    "nan": (changed(6, "a,1,5,1,nan"), r"line 6, column conductance_S: the reading is nan"),
    "infinite": (changed(6, "a,1,5,1,inf"), r"line 6, column conductance_S: the reading is inf"),
    "empty": (changed(6, "a,1,5,1,"), r"line 6, column conductance_S: the reading is empty"),
    "direction": (changed(7, "a,1,6,2,1e-5"), r"line 7, column direction: the direction is 2; it is \+1"),
    "no direction": (changed(7, "a,1,6,,1e-5"), r"line 7, column direction: the direction is empty"),
    "word direction": (changed(7, "a,1,6,up,1e-5"), r"line 7, column direction: 'up' is no number"),
    "no device": (changed(7, ",1,6,1,1e-5"), r"line 7, column device: the name of the device is empty"),
    "backwards": (changed(8, "a,1,3,1,1e-5"), r"line 8, column pulse: pulse 3 of device a, cycle 1 follows pulse 6"),
    "duplicate": (changed(8, "a,1,6,1,1e-5"), r"line 8, column pulse: pulse 6 .* stands on line 7 already"),
    "half": (changed(8, "a,1,6.5,1,1e-5"), r"line 8, column pulse: '6.5' is no whole number"),
    "negative": (changed(2, "a,1,-1,1,1e-5"), r"line 2, column pulse: pulse -1 is below 0"),
    "one pulse": (GOOD[:2], r"line 2, column pulse: device a has one pulse"),
    "constant": ([HEAD, *(f"a,1,{k},1,1e-5" for k in range(9))], r"conductance_S: the conductance is 1e-05 S in all"),
    "large": ([g.replace("e-05", "e+03") for g in GOOD], r"line 2, .*: the conductance is 1010 S.* give --unit nS|uS"),
    "small": ([g.replace("e-05", "e-25") for g in GOOD], r"the conductance is 1.01e-25 S.*check the unit"),
    "below zero": ([g.replace(",1.", ",-1.") for g in GOOD], "most conductances are negative"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_told_with_line_and_column(tmp_path: Path, case: str) -> None:
    lines, message = BAD[case]
    with pytest.raises(DataError, match=message):
        read_measurements(written(tmp_path, lines))


def test_numbers_that_start_anew_want_a_cycle(tmp_path: Path) -> None:
    lines = ["device,pulse,direction,conductance_S", "a,1,1,1e-5", "a,2,1,2e-5", "a,1,1,1e-5"]
    with pytest.raises(DataError, match="where pulses are numbered anew, say so in a column cycle"):
        read_measurements(written(tmp_path, lines))


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"PK\x03\x04...", "spreadsheet"), (b"a,b\x00\n1,2\n", "zero bytes"), (b"\x1f\x8bbroken", "cannot be read")],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_measurements(written(tmp_path, data))


def test_unknown_units_columns_and_files(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="the unit 'us' is not known; did you mean"):
        read_measurements(path, unit="us")
    with pytest.raises(ConfigError, match="'conductance' is no column that is read; did you mean 'conductance_S'"):
        read_measurements(path, columns={"conductance": "G"})
    with pytest.raises(DataError, match="No such file"):
        read_measurements(tmp_path / "none.csv")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='a1,;\t\n\r"#.-+e ', max_size=80).map(str.encode))
def test_any_bytes_are_a_table_or_a_data_error(data: bytes) -> None:
    try:
        table = parse_table(data)
        for name in table.names:
            table.fields(name)
            table.numbers(name)
    except DataError:
        pass


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["x", "y9", "z z"]), st.integers(-(10**12), 10**12), st.floats(allow_nan=False)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_is_written_is_read_again(rows: list[tuple[str, int, float]], mark: str) -> None:
    text = mark.join(("name", "count", "value")) + "\n" + "".join(f"{mark.join(map(str, row))}\n" for row in rows)
    table = parse_table(text.encode())
    assert [f.decode() for f in table.fields("name")] == [r[0] for r in rows]
    np.testing.assert_array_equal(table.whole_numbers("count"), [r[1] for r in rows])
    np.testing.assert_array_equal(table.numbers("value"), [r[2] for r in rows])
