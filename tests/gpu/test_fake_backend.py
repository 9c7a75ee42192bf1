"""Which backend computes where, and what is said where none can."""

from __future__ import annotations

import importlib.util

import pytest
import torch

import mho
from gpu.fake import cuda, fake_cuda
from kernels.gpu_machine import pretend
from mho.errors import ConfigError, MhoError, NotFiniteError, RankError
from mho.kernels import backend
from mho.kernels.backend import resolve
from mho.nn.fuses import Fuses
from mho.nn.ranks import Ranks
from mho.optim import AnalogSGD

PRESET = mho.preset("gokmen-2017")
HERE = torch.zeros(1)


@pytest.fixture(autouse=True)
def _looked_at_anew(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    backend._check.cache_clear()
    yield
    backend._check.cache_clear()


def test_auto_follows_the_tensor(monkeypatch):
    assert [resolve(name, HERE) for name in ("auto", "cpu", "reference")] == ["cpu", "cpu", "reference"]
    with fake_cuda(monkeypatch):
        assert [resolve(name, cuda(1)) for name in ("auto", "gpu")] == ["gpu", "gpu"]
        for name in ("cpu", "reference"):
            with pytest.raises(
                ConfigError, match=rf'backend="{name}" was asked for devices on cuda:0.*model.to\("cpu"\)'
            ):
                resolve(name, cuda(1))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match=r'backend="gpu" was asked for, but this torch .* is built without CUDA'):
        resolve("gpu", HERE)
    with pytest.raises(ConfigError, match="backend is one of auto, cpu, gpu, reference, found 'cuda'"):
        resolve("cuda", HERE)
    pretend(monkeypatch)
    with pytest.raises(ConfigError, match=r'devices on cpu, but it computes on CUDA devices.*model.to\("cuda"\)'):
        resolve("gpu", HERE)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert resolve("gpu", HERE) == "gpu"


def test_an_old_gpu_is_refused(monkeypatch):
    with fake_cuda(monkeypatch):
        there = cuda(1)
    pretend(monkeypatch, [(7, 5)])
    with pytest.raises(ConfigError, match=r"compute capability 7.5, but the kernels of mho need 8.0"):
        resolve("auto", type("OnCuda", (), {"is_cuda": True, "device": there.device}))


def test_set_backend_and_set_precision_refuse_what_cannot_be():
    model = mho.convert_to_analog(torch.nn.Linear(3, 2), PRESET)
    with pytest.raises(ConfigError, match="backend is one of"):
        mho.set_backend(model, "fast")
    assert {tile.backend for tile in model.analog_tiles()} == {"auto"}
    with pytest.raises(ConfigError, match="precision is one of float32, tf32, bf16, found 'half'"):
        mho.set_precision(model, "half")
    mho.set_precision(mho.set_backend(model, "reference"), "bf16")
    products = [*model.grids[0].forward_products, *model.grids[0].backward_products]
    assert {(p.backend, p.precision) for p in products} == {("cpu", "bf16")}


def test_a_layer_that_moves_between_backward_and_step_is_refused():
    model = mho.convert_to_analog(torch.nn.Linear(3, 2), PRESET)
    model(torch.ones(2, 3)).sum().backward()
    model.to("meta")
    with pytest.raises(MhoError, match=r"was moved from cpu to meta between backward\(\) and step\(\)"):
        AnalogSGD(model.parameters(), lr=0.1).step()


def test_ranks_refuse_what_is_on_a_gpu(monkeypatch):
    with fake_cuda(monkeypatch), pytest.raises(RankError, match="its tensors are on cuda:0, but they exchange samples"):
        Ranks(0, 2).collect(cuda(3), [3, 3])


def linked(layers: int) -> tuple[list[mho.AnalogLinear], AnalogSGD]:
    """Return layers and their optimizer, whose numbers a fuse looks after though they are on the CPU."""
    made = [mho.convert_to_analog(torch.nn.Linear(3, 2), PRESET, seed=k) for k in range(layers)]
    for k, layer in enumerate(made):
        layer.name = f"layer {k}"
    optimizer = AnalogSGD([p for layer in made for p in layer.parameters()], lr=0.1)
    return made, optimizer


def test_numbers_are_looked_at_now_and_then(monkeypatch):
    monkeypatch.setattr("mho.optim.LOOK", 3)
    monkeypatch.setattr("mho.nn.layer.AnalogLayer.on_gpu", True)
    layers, optimizer = linked(2)
    optimizer.fuses.link_(layers)
    flags = layers[0].tile_list[0].fuse.flags
    assert [layer.tile_list[0].fuse.place for layer in layers] == [0, 1]
    flags[1] = 1
    optimizer.stepped()
    optimizer.stepped()
    with pytest.raises(NotFiniteError, match=r"layer 'layer 1', update: .* in the last 3 step"):
        optimizer.stepped()
    assert not flags.any()
    optimizer.check()


def test_layers_without_an_optimizer_on_a_gpu_lose_their_fuse(monkeypatch):
    monkeypatch.setattr("mho.nn.layer.AnalogLayer.on_gpu", True)
    layers, optimizer = linked(3)
    optimizer.fuses.link_(layers)
    before = layers[0].tile_list[0].fuse
    optimizer.fuses.link_(layers)
    assert layers[0].tile_list[0].fuse is before
    optimizer.fuses.link_(layers[:2])
    assert layers[2].tile_list[0].fuse is None
    assert layers[0].tile_list[0].fuse.flags is not before.flags


def test_gpus_tell_each_other(monkeypatch):
    fuses = Fuses()
    fuses.groups = {"one": (torch.zeros(4, dtype=torch.int32), []), "other": (torch.zeros(2, dtype=torch.int32), [])}
    fuses.share_()
    assert not fuses.groups["other"][0].any()
    fuses.groups["one"][0][1] = 1
    fuses.share_()
    assert fuses.groups["other"][0].tolist() == [0, 1]


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("turn", [0, 1])
def test_the_choice_of_devices_compiles_for_a_gpu(turn, capability):
    from mho.kernels.gpu.compiling import assembly, kernels, typed

    types = typed(p_i32="chosen keys", p_i64="tick", i32="total batch devices first step")
    text = assembly(kernels("triton_choose").choose, {"TURN": turn, "BLOCK": 256}, types, capability=capability)
    assert f".target sm_{capability}" in text
