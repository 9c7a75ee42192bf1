"""Training steps as CUDA graphs: the same numbers as step by step, and what cannot be captured is refused."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import nn

import mho
from kernels.interpreting import interpreted
from mho.errors import ConfigError
from mho.update.ttv2 import TTv2

installed = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@installed
def test_replayed_steps_equal_steps_one_by_one():
    assert interpreted("../graph/graph_case.py") == "equal\n"


def model_of(**changes: object) -> nn.Module:
    return mho.convert_to_analog(nn.Linear(3, 2), mho.preset("gokmen-2017").with_(**changes))


def graph_of(model: nn.Module, optimizer: object = None) -> mho.TrainingGraph:
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.1) if optimizer is None else optimizer
    return mho.TrainingGraph(model, optimizer, lambda x, y: (model(x) - y).pow(2).sum())


def test_a_model_on_the_cpu_is_refused():
    with pytest.raises(ConfigError, match=r"model on cpu.*model\.to\(\"cuda\"\)"):
        graph_of(model_of())


def test_a_model_without_analog_layers_is_refused():
    model, other = nn.Linear(3, 2), model_of()
    with pytest.raises(ConfigError, match="no analog layers"):
        graph_of(model, mho.optim.AnalogSGD(other.parameters(), lr=0.1))


@pytest.fixture
def on_gpu(monkeypatch):
    """Let models pass for ones on a GPU: what is refused later does not look at the device."""
    monkeypatch.setattr("mho.graph.checks.resolve", lambda name, tensor: "gpu")


def test_a_rule_with_a_timetable_is_refused(on_gpu):
    model = model_of(rule=TTv2())
    with pytest.raises(ConfigError, match="trained by TTv2, whose steps differ"):
        graph_of(model)


def test_an_optimizer_that_counts_on_the_host_is_refused(on_gpu):
    model = mho.convert_to_analog(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), mho.preset("gokmen-2017"))
    optimizer = mho.optim.AnalogOptimizer(torch.optim.Adam, model.parameters(), lr=0.1)
    with pytest.raises(ConfigError, match="capturable=True"):
        graph_of(model, optimizer)
    graph_of(model, mho.optim.AnalogOptimizer(torch.optim.Adam, model.parameters(), lr=0.1, capturable=True))
    optimizer = mho.optim.AnalogOptimizer(torch.optim.Adagrad, model.parameters(), lr=0.1)
    with pytest.raises(ConfigError, match=r"Adagrad, which counts its steps on the host, where"):
        graph_of(model, optimizer)


@pytest.mark.gpu
def test_on_a_gpu_a_graph_moves_the_devices_of_plain_steps():
    """Products of a graph and of steps are the same kernels: the states are equal bit for bit."""
    torch.manual_seed(0)
    batches = [(torch.randn(6, 4, device="cuda"), torch.randn(6, 2, device="cuda")) for _ in range(20)]
    states = []
    for captured in (False, True):
        torch.manual_seed(1)
        model = mho.convert_to_analog(nn.Linear(4, 2), mho.preset("gokmen-2017"), chips=2, seed=3).to("cuda")
        graph = graph_of(model)
        for batch in batches:
            (graph if captured else graph.step)(*batch)
        assert graph.captures == captured
        states.append(model.get_weights()[0].cpu())
    assert torch.equal(*states)
