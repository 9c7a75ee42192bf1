"""Models that cannot move to a GPU: it is too old, or full. They stay where they are, and mho says what would do."""

from __future__ import annotations

import pytest
import torch

import mho
from gpu.fake import fake_cuda, to_fake
from kernels.gpu_machine import pretend
from mho.errors import ConfigError, GpuMemoryError


@pytest.fixture
def layer(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    return mho.AnalogLinear(20, 10, config=mho.preset("gokmen-2017"), name="one", chips=64)


def test_too_little_memory_says_how_many_chips_fit(layer, monkeypatch):
    tile = layer.analog_tiles()[0]
    held = sum(b.numel() * b.element_size() for b in tile.buffers())
    pretend(monkeypatch, [(9, 0)], free=held * 41 // 64 + 1)
    with fake_cuda(monkeypatch), pytest.raises(GpuMemoryError, match=r"tile 'one.*64 chips need.*; 41 chips would fit"):
        to_fake(layer)
    assert tile.state.device.type == "cpu"
    assert layer(torch.ones(64, 20)).shape == (64, 10)


def test_an_old_gpu_is_refused(layer, monkeypatch):
    pretend(monkeypatch, [(7, 5)])
    with fake_cuda(monkeypatch), pytest.raises(ConfigError, match=r"compute capability 7\.5, but .* need 8\.0"):
        to_fake(layer)
    assert layer.analog_tiles()[0].state.device.type == "cpu"


def test_a_gpu_with_just_enough_room_is_not_refused(layer, monkeypatch):
    tile = layer.analog_tiles()[0]
    pretend(monkeypatch, [(9, 0)], free=sum(b.numel() * b.element_size() for b in tile.buffers()))
    tile._check_gpu(torch.device("cuda", 0))
