"""Layers on the GPU itself: the pulses of the CPU, bad batches, and the way there and back."""

from __future__ import annotations

import copy

import pytest
import torch

import mho
from gpu.layers_case import CASES, DIGITAL, bad_batch, compare, network, trained
from mho.optim import AnalogSGD

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", CASES)
def test_layers_equal_those_on_the_cpu(name):
    compare(trained(name, "cpu").state_dict(), trained(name, "gpu", "cuda").state_dict())


@pytest.mark.parametrize("name", DIGITAL)
def test_a_bad_batch_leaves_all_as_it_was(name):
    bad_batch(DIGITAL[name], "cuda")


def test_a_model_moves_there_and_back_in_the_middle_of_training():
    """The optimizer goes on: parameters are the same objects, and pulses those of a model that stayed."""
    models = [mho.convert_to_analog(network(), mho.preset("gokmen-2017"), chips=2, seed=1) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    optimizers = [AnalogSGD(model.parameters(), lr=0.1) for model in models]
    for place in ("cpu", "cuda", "cpu"):
        models[1].to(place)
        for model, optimizer, where in zip(models, optimizers, ("cpu", place), strict=True):
            optimizer.zero_grad()
            torch.manual_seed(0)
            model(mho.spread(torch.rand(2, 1, 2, 2).to(where), 2)).square().sum().backward()
            optimizer.step()
        compare(models[0].state_dict(), models[1].state_dict())


def test_what_is_saved_on_a_gpu_is_loaded_on_the_cpu(tmp_path):
    there = trained("restless", "gpu", "cuda")
    torch.save(there.state_dict(), tmp_path / "state.pt")
    here = trained("restless", "cpu")
    here.load_state_dict(torch.load(tmp_path / "state.pt", map_location="cpu"))
    compare(here.state_dict(), there.state_dict())
    again = copy.deepcopy(there)
    again.load_state_dict(here.state_dict())
    compare(here.state_dict(), again.state_dict())
    assert next(again.parameters()).is_cuda
