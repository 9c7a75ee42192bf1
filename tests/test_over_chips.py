"""Numbers of several chips in one."""

from __future__ import annotations

import pytest

from mho.over_chips import deviation


def test_deviation_of_several_chips() -> None:
    assert deviation([97.0, 98.0, 99.0]) == pytest.approx(1.0, rel=1e-15)  # divided by n - 1, not by n
    assert deviation((4.0, 4.0)) == 0.0


def test_a_single_chip_has_no_spread() -> None:
    assert deviation((98.5,)) == 0.0
