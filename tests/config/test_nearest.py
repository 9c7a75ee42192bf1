"""Names that are offered for one that does not exist."""

from __future__ import annotations

import pytest

from mho.config.names import Names
from mho.config.run import RunConfig
from mho.errors import nearest


@pytest.mark.parametrize(
    ("name", "valid", "offered"),
    [
        ("dw_mim", ["dw_min", "w_min", "c2c"], "did you mean 'dw_min' or 'w_min'?"),
        ("seeds", ["seed", "pulses", "pulsed"], "did you mean 'seed'?"),  # the others are far behind the first
        ("sgd", ["pulsed", "agad"], "valid names: agad, pulsed"),
        ("mu", ["nu", "std"], "did you mean 'nu'?"),  # half of a short name is near
        ("zz", ["nu", "std"], "valid names: nu, std"),
    ],
)
def test_only_near_names_are_offered(name, valid, offered):
    assert nearest(name, valid) == offered


def test_a_setting_far_from_all_gets_the_names_of_the_top():
    assert Names(RunConfig()).resolve("foo")[1].startswith("no such setting; valid names: analog, backend, ")
