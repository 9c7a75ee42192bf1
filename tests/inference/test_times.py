"""Times after programming, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import ConfigError
from mho.inference.times import UNITS, Time, read_time, read_times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90min", 5400), ("1h", 3600), ("1d", 86400), ("1y", 31557600), ("10y", 315576000), ("0s", 0),
     ("2.5 d", 216000), (".5h", 1800), ("1e3s", 1000), ("1e-3s", 0.001), (" 1h ", 3600)],
)  # fmt: skip
def test_units(text: str, seconds: float) -> None:
    assert read_time(text).seconds == pytest.approx(seconds, rel=1e-12)


def test_the_text_stays() -> None:
    assert read_times("1s, 2.5 d,10y") == (Time("1s", 1.0), Time("2.5d", 216000.0), Time("10y", 315576000.0))
    assert read_times(["1s", "1min"])[1] == Time("1min", 60.0)


@given(st.integers(1, 999), st.sampled_from(sorted(UNITS)))
def test_any_number_and_unit(number: int, unit: str) -> None:
    assert read_time(f"{number}{unit}").seconds == number * UNITS[unit]


@given(st.text(max_size=12))
def test_any_text_is_a_time_or_refused_with_what_would_work(text: str) -> None:
    try:
        seconds, said = read_time(text).seconds, "give "
    except ConfigError as error:
        seconds, said = 0.0, str(error)
    assert 0 <= seconds <= 1000 * UNITS["y"]
    assert "give " in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a time is a number with a unit, s, min, h, d, y, found ''; give 1s"),
        ("soon", "found 'soon'; give 1s, 90min or 10y"),
        ("-1s", "found '-1s'"),
        ("5", "the time '5' has no unit; units are s, min, h, d, y: give 5s"),
        ("1m", "has the unit 'm'; units are s, min, h, d, y: give 1s, or 90min"),
        ("3weeks", "has the unit 'weeks'"),
        ("1h,", "found ''"),
        ("1001y", "more than 1000 years after programming"),
        ("9e99s", "more than 1000 years"),
        ("1h,1s", "go on from programming, but 1s comes after 1h: .* give them in order: 1s, 1h"),
        ("1s,60s,1min", "1min comes after 60s"),
    ],
)
def test_what_is_no_time(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_times(text)


def test_no_times() -> None:
    with pytest.raises(ConfigError, match="at least one time"):
        read_times([])
