"""Which laws become kernels, what they become, and what the others are told."""

from __future__ import annotations

import inspect
import linecache
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import bad_laws
from mho.devices import absolute, maximum, minimum, ops, where
from mho.errors import LawError
from mho.kernels.build import _shared, compile_source, template
from mho.kernels.translate import law_source

BAD = [f for n, f in vars(bad_laws).items() if inspect.isfunction(f) and f.__module__ == bad_laws.__name__]
BAD = [f for f in BAD if not f.__name__.startswith("_") and f is not bad_laws.LAMBDA]


def offence(function) -> str:
    """Return the code of the line marked `# here`, in the function or in its helper."""
    text = inspect.getsource(function)
    if "# here" not in text:
        text = inspect.getsource(bad_laws._helper_with_branch)
    return next(line for line in text.splitlines() if "# here" in line).split("# here")[0].strip()


@pytest.mark.parametrize("function", BAD, ids=lambda f: f.__name__)
def test_a_law_that_cannot_be_a_kernel_is_refused_with_its_line(function):
    with pytest.raises(LawError) as refused:
        law_source(function, "law")
    assert offence(function) in str(refused.value)


def test_a_lambda_is_refused():
    with pytest.raises(LawError, match="lambda"):
        law_source(bad_laws.LAMBDA, "law")


def test_a_law_without_source_is_refused():
    scope = {}
    exec("def law(w, up, xi):\n    return w", scope)
    with pytest.raises(LawError, match="define the law in a file"):
        law_source(scope["law"], "law")


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (bad_laws.branches, "where("),
        (bad_laws.both, "& and |"),
        (bad_laws.draws, "xi"),
        (bad_laws.draws_too, "xi"),
        (bad_laws.unknown, "undefined"),
        (bad_laws.unknown_function, "minimum, maximum"),
        (bad_laws.early, "return"),
        (bad_laws.recursion, "itself"),
    ],
)
def test_the_message_says_what_would_work(function, hint):
    with pytest.raises(LawError) as refused:
        law_source(function, "law")
    assert hint in str(refused.value)


RATE = 0.25


class Numbers:
    HALF = 0.5


def helper(v, top):
    """Room to the top."""
    return maximum(top - v, 0.0)


def deeper(v):
    return helper(v, RATE) + helper(v, 1.0)


def simple(w, up, xi):
    return w + where(up, 0.01, -0.01) * (1.0 + 0.3 * xi)


def with_helpers(w, up, xi):
    """A docstring is no offence."""
    return w + deeper(w) * xi + helper(xi, Numbers.HALF)


def with_aliases(w, up, xi):
    a = np.exp(-(w * w)) + math.exp(-1.0) + np.minimum(w, xi) + max(w, xi)
    return np.where(up, a, np.abs(w) + abs(xi)) + np.sqrt(np.maximum(xi, 0.0)) + np.tanh(w)


def with_powers(w, up, xi):
    a: float = w**2 + xi**3 + w**4
    a += absolute(w) ** 1.5
    a -= 1
    a *= 2
    return a / 3.0 + (-w) ** 2


def with_logic(w, up, xi):
    inside = (w > -0.5) & (w <= 0.5) | ~up
    a = b = where(inside, w, -w)
    return a + b


def with_pairs(w, up, xi):
    low, high = minimum(w, xi), maximum(w, xi)
    low, high = high, low
    return low - 2.0 * high


def closing(factor):
    def inside(w, up, xi):
        return w * factor

    return inside


GOOD = [
    simple,
    with_helpers,
    with_aliases,
    with_powers,
    with_logic,
    with_pairs,
    closing(3.0),
    closing(np.float32(0.1)),
]


def compiled(functions):
    """Return Numba functions of laws, from one kernel file."""
    text = template("prelude") + _shared() + "\n\n" + template("primitives")
    for number, function in enumerate(functions):
        text += "\n\n" + law_source(function, f"law_{number}").replace("helper_", f"helper_{number}_")
    module = compile_source(text, "test_laws")
    return [getattr(module, f"law_{n}") for n in range(len(functions))]


def test_translated_laws_compute_what_they_say():
    generator = np.random.default_rng(0)
    w, xi = generator.uniform(-1, 1, (2, 50)).astype(np.float32)
    up = generator.random(50) < 0.5
    for law, kernel in zip(GOOD, compiled(GOOD), strict=True):
        for one in zip(w, up, xi, strict=True):
            result = kernel(*one)
            assert float(np.float32(result)) == float(result), law.__name__
            assert result == pytest.approx(float(law(*one)), abs=2e-6), law.__name__


def test_a_further_state_is_returned_as_a_pair():
    def law(w, up, xi, n):
        n = n + 1.0
        return w + n, n

    text = law_source(law, "law")
    assert text.count("return") == 1
    assert "n_ = n_ + f32(1.0)" in text


def test_an_argument_hides_a_global_of_the_same_name():
    def law(w, up, xi, RATE):
        return w * RATE

    assert "0.25" not in law_source(law, "law")


def test_variables_may_have_the_names_of_primitives():
    def law(w, up, xi, power, f32):
        where = absolute(w) ** power
        return where + f32 * 0.5

    (kernel,) = compiled([law])
    assert kernel(np.float32(0.5), True, np.float32(0), np.float32(2), np.float32(3)) == pytest.approx(1.75)


def test_division_by_zero_is_infinite_as_in_numpy():
    def law(w, up, xi):
        return w / xi

    (kernel,) = compiled([law])
    one, zero = np.float32(1), np.float32(0)
    assert [float(kernel(v, True, zero)) for v in (one, -one)] == [float("inf"), -float("inf")]
    assert np.isnan(kernel(zero, True, zero))


def test_a_helper_called_twice_is_taken_along_once():
    def law(w, up, xi):
        return deeper(w) + helper(xi, deeper(xi))

    assert law_source(law, "law").count("def helper_") == 2


def test_two_helpers_of_one_name_stay_apart():
    def law(w, up, xi):
        return helper(w, 1.0) + other(w)

    other = closing_helper()
    scope = law_source(law, "law")
    assert scope.count("def helper_helper_") == 2


def closing_helper():
    def helper(v):
        return v * 7.0

    return helper


EXPRESSIONS = st.recursive(
    st.sampled_from(["w", "xi", "0.5", "2"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda e: f"(-{e})"),
        st.tuples(st.sampled_from(["minimum", "maximum"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"where({t[0]} < {t[1]}, {t[2]}, w)"),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS, st.floats(-2, 2, width=32), st.floats(-2, 2, width=32))
def test_translated_expressions_equal_numpy_bit_for_bit(tmp_path_factory, expression, w, xi):
    path = tmp_path_factory.getbasetemp() / "expression.py"
    path.write_text(f"def law(w, up, xi):\n    return ({expression}) + 0.0 * w\n")
    scope = {name: getattr(ops, name) for name in ops.OPS}
    linecache.checkcache(str(path))
    exec(compile(path.read_text(), str(path), "exec"), scope)
    scope["law"].__module__ = "expression"
    text = law_source(scope["law"], "law").replace("@compiled\n", "")
    kernel = {name: getattr(ops, name) for name in ops.OPS} | {"f32": np.float32, "divide": np.divide}
    exec(text, kernel)
    a, b = np.float32(w), np.float32(xi)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.float32(kernel["law"](a, True, b)), np.float32(scope["law"](a, True, b)))
