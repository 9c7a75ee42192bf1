"""Counters of the host are saved and loaded as tensors among buffers."""

import numpy as np
import pytest
import torch

from mho.update.counters import Counters


class Two(Counters):
    counters = ("steps", "reads")

    def __init__(self):
        super().__init__()
        self.steps, self.reads = 0, np.zeros(3, np.int64)


def test_they_come_back_as_what_they_were():
    one, other = Two(), Two()
    one.steps, one.reads = 2**40, np.array([1, 0, 5])
    state = one.state_dict()
    assert all(value.dtype == torch.int64 for value in state.values())
    other.load_state_dict(state)
    assert type(other.steps) is int
    assert other.steps == 2**40
    assert other.reads.tolist() == [1, 0, 5]
    one.reads += 1
    assert other.reads.tolist() == [1, 0, 5]
    assert state["reads"].tolist() == [1, 0, 5]


def test_what_is_missing_or_of_another_size_is_told():
    state = Two().state_dict()
    del state["steps"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"steps"'):
        Two().load_state_dict(state)
    Two().load_state_dict(state, strict=False)
    state = Two().state_dict() | {"reads": torch.zeros(4, dtype=torch.int64)}
    with pytest.raises(RuntimeError, match=r"reads has shape \(4,\)"):
        Two().load_state_dict(state)
