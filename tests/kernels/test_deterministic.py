"""Deterministic trains: the pulses of a cell are n_x n_d / BL, rounded to the nearest."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mho.kernels.reference import ONE, even_trains


@given(st.integers(1, 64), st.data())
def test_coincidences_are_rounded_not_lost(length: int, data: st.DataObject) -> None:
    n_x, n_d = (data.draw(st.integers(0, length)) for _ in range(2))
    limits = np.array([(n_x * ONE) // length, (n_d * ONE) // length], np.int64)
    x, d = even_trains(limits[:1], length, spread_out=False), even_trains(limits[1:], length, spread_out=True)
    assert (x.sum(), d.sum()) == (n_x, n_d)
    assert int((x & d).sum()) == (2 * n_x * n_d + length) // (2 * length)
