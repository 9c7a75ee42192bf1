"""Laws that cannot become kernels. Each holds one offence, on the line marked with `# here`."""

import random

import numpy as np

from mho.devices import exp, interpolate, where

NAME = "text"
TABLE = [1.0, 2.0]


def branches(w, up, xi):
    if up:  # here
        w = w + 1.0
    return w


def chooses(w, up, xi):
    return w + 1.0 if up else w - 1.0  # here


def repeats(w, up, xi):
    for _ in range(3):  # here
        w = w + 0.1
    return w


def waits(w, up, xi):
    while w < 1.0:  # here
        w = w + 0.1
    return w


def both(w, up, xi):
    return where(up and w > 0.0, w, xi)  # here


def inverts(w, up, xi):
    return where(not up, w, xi)  # here


def draws(w, up, xi):
    return w + np.random.normal()  # here  # noqa: NPY002


def draws_too(w, up, xi):
    return w + random.gauss(0.0, 1.0)  # here


def says(w, up, xi):
    return where(up, w, "down")  # here


def says_elsewhere(w, up, xi):
    return w + NAME  # here


def looks_up(w, up, xi):
    return w + TABLE[0]  # here


def unknown(w, up, xi):
    return w + undefined  # here  # noqa: F821


def unknown_function(w, up, xi):
    return np.sinh(w)  # here


def named_arguments(w, up, xi):
    return where(condition=up, yes=w, no=xi)  # here


def chained(w, up, xi):
    return where(0.0 < w < 1.0, w, xi)  # here


def assigns_to_items(w, up, xi):
    w[0] = 1.0  # here
    return w


def attribute_of_argument(w, up, xi):
    return w.real  # here


def true(w, up, xi):
    return where(True, w, xi)  # here


def prints(w, up, xi):
    print(w)  # here
    return w


def nests(w, up, xi):
    def inner(v):  # here
        return v

    return inner(w)


def calls_lambda(w, up, xi):
    return (lambda v: v)(w)  # here


def imports(w, up, xi):
    import math  # here

    return math.exp(w)


def walrus(w, up, xi):
    return (v := w) + v  # here


def floor_division(w, up, xi):
    return w // 2.0  # here


def early(w, up, xi):
    return w  # here
    return exp(w)


def in_place(w, up, xi):
    w += 1.0  # here
    return w


def no_return(w, up, xi):  # here
    w = w + 1.0


def _helper_with_branch(v):
    if v > 0.0:  # here
        return v
    return -v


def helper_branches(w, up, xi):
    return _helper_with_branch(w)


def recursion(w, up, xi):
    return recursion(w, up, xi)  # here


def starred(*args):  # here
    return args[0]


def defaults(w, up, xi, rate=0.5):  # here
    return w * rate


def reads_a_number(w, up, xi):
    return interpolate(w, xi)  # here


def reads_an_expression(w, up, xi, table):
    return interpolate(table + 1.0, w)  # here


def reads_a_list_from_outside(w, up, xi):
    return interpolate(TABLE, w)  # here


def reads_too_much(w, up, xi, table):
    return interpolate(table, w, xi)  # here


def uses_a_table_as_a_number(w, up, xi, table):
    return table * interpolate(table, w)  # here


def renames_a_table(w, up, xi, table):
    step = interpolate(table, w)
    other = table  # here
    return w + step + other


def overwrites_a_table(w, up, xi, table):
    step = interpolate(table, w)
    table = 2.0  # here
    return w + step * table


LAMBDA = lambda w, up, xi: w + 1.0  # noqa: E731
