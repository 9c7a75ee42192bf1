"""The IDX parser: right files are read exactly, every damaged one is refused by name."""

from __future__ import annotations

import contextlib
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from data.fakes import idx_bytes
from mho.data.idx import parse_idx, unpack
from mho.errors import DataError

IMAGES = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=6))


@given(IMAGES)
def test_any_array_survives_a_round_trip(array: np.ndarray) -> None:
    found = parse_idx(idx_bytes(array), "f", dimensions=3)
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    assert (found == array).all()


@given(IMAGES, st.data())
def test_any_truncation_is_refused_with_offset_and_counts(array: np.ndarray, data: st.DataObject) -> None:
    raw = idx_bytes(array)
    kept = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(DataError, match="some-file") as caught:
        parse_idx(raw[:kept], "some-file", dimensions=3)
    text = str(caught.value)
    assert "truncated" in text
    assert f"found {kept - 16 if kept >= 16 else kept}" in text


@given(IMAGES, st.binary(min_size=1, max_size=9))
def test_bytes_behind_the_end_are_refused(array: np.ndarray, more: bytes) -> None:
    with pytest.raises(DataError, match="longer than its header says"):
        parse_idx(idx_bytes(array) + more, "f", dimensions=3)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_give_an_array_or_a_data_error(raw: bytes) -> None:
    with contextlib.suppress(DataError):
        assert parse_idx(unpack(raw, "f"), "f", dimensions=1).ndim == 1


def test_wrong_magic_names_offset_expected_and_found() -> None:
    raw = idx_bytes(np.zeros(20, dtype=np.uint8))
    with pytest.raises(DataError, match=r"offset 0 expected .* 00000803 .* found 00000801"):
        parse_idx(raw, "labels-file", dimensions=3)


def test_a_header_that_asks_for_more_than_memory_is_refused() -> None:
    with pytest.raises(DataError, match="expected 79228162458924105385300197375 bytes"):
        parse_idx(bytes((0, 0, 8, 3)) + b"\xff" * 12 + b"123", "f", dimensions=3)


@given(st.integers(0, 200))
def test_truncated_gzip_is_refused(kept: int) -> None:
    packed = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (5, 8, 8))))
    with pytest.raises(DataError, match="packed-file"):
        parse_idx(unpack(packed[:kept], "packed-file"), "packed-file", dimensions=3)


def test_gzip_is_unpacked() -> None:
    assert unpack(gzip.compress(b"abc"), "f") == b"abc"
    assert unpack(b"abc", "f") == b"abc"
