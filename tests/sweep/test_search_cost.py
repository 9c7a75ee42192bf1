"""The cost of a device: what may be written, what it comes to, and that nothing else is ever carried out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import ConfigError
from mho.sweep.search.cost import LONGEST, read_cost

PATHS = ("analog.device.c2c", "analog.device.dw_min", "analog.device.dw_min.d2d", "analog.device.w_max.d2d", "rule.a-b")
VALUES = {
    "analog.device.c2c": 0.1, "analog.device.dw_min": 0.01, "analog.device.dw_min.d2d": 0.5,
    "analog.device.w_max.d2d": 0.25, "rule.a-b": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("log10(1/c2c)", 1.0),
        ("log10(1/c2c) + log10(1/dw_min)", 3.0),
        ("-dw_min.d2d ** 2 + 3", 2.75),
        ("max(dw_min.d2d, w_max.d2d, 'rule.a-b')", 4.0),
        ("min(sqrt('a-b'), abs(-7))", 2.0),
        ("exp(log(c2c))", 0.1),
        ("(+c2c - 0.1) * 1e3", 0.0),
        ("analog.device.c2c * 10", 1.0),
        (" 1/c2c\n", 10.0),
    ],
)
def test_arithmetic(text: str, value: float) -> None:
    assert read_cost(text, PATHS)(VALUES) == pytest.approx(value)


def test_the_fields_of_a_cost_are_known() -> None:
    assert read_cost("c2c + c2c * dw_min", PATHS).paths == PATHS[:2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("c2c +", "cannot be read"),
        ("1 + 2", "names no swept field"),
        ("c2d", "no swept field.*c2c"),
        ("d2d", "more than one swept field"),
        ("log11(c2c)", "no function 'log11'.*log10"),
        ("log(c2c, 10)", "log takes one value"),
        ("max(c2c)", "max takes two values"),
        ("c2c if c2c else 1", "IfExp is no arithmetic"),
        ("c2c < 1", "no arithmetic"),
        ("[c2c for x in 1]", "no arithmetic"),
        ("__import__('os').system('true')", "no function|no arithmetic"),
        ("c2c.__class__", "no swept field"),
        ("(lambda: c2c)()", "no arithmetic"),
        ("max(*c2c, 1)", "no arithmetic"),
        ("c2c // 2", "no arithmetic"),
        ("True + c2c", "no arithmetic"),
        ("c2c + 1j", "no arithmetic"),
        ("c2c" + " + 1" * LONGEST, "longer than"),
        ("(" * 400 + "c2c" + ")" * 400, "cannot be read"),
    ],
)
def test_what_is_no_cost_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)cost .*({says})"):
        read_cost(text, PATHS)


@pytest.mark.parametrize(
    "text", ["log(c2c - 0.1)", "1 / (c2c - 0.1)", "9.0 ** 9 ** 9 ** 9 + c2c", "(-1 - c2c) ** 0.5", "exp(1e6 * c2c)"]
)
def test_where_there_is_no_number_the_cost_is_nan(text: str) -> None:
    assert math.isnan(read_cost(text, PATHS)(VALUES))


def test_a_field_without_a_number_has_no_cost() -> None:
    cost = read_cost("c2c", PATHS)
    for value in ("soft-bounds", None, True, float("inf"), 10**400):
        assert math.isnan(cost({"analog.device.c2c": value}))
    assert math.isnan(cost({}))


@given(st.text(st.sampled_from("c2dwmin_.()+-*/,1e9'\" \n<[]{}:=@log"), max_size=60))
def test_any_text_is_a_cost_or_refused(text: str) -> None:
    try:
        found = read_cost(text, PATHS)(VALUES)
    except ConfigError:
        return
    assert isinstance(found, float)
