"""Rules, program-and-verify and programming on a CUDA device against the CPU. Run with -m gpu."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import mho
from gpu.rules_case import RULES, WRITES, compare, trained, written
from inference.programmed_models import analog
from mho.inference import StuckFaults, preset
from mho.tiles import Cell
from mho.update.program_settings import Program

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("rule", RULES)
def test_rules_move_devices_as_on_the_cpu(rule: str) -> None:
    compare(trained(rule, "auto").state_dict(), trained(rule, "auto", "cuda").state_dict())


@pytest.mark.parametrize("rule", RULES)
def test_training_goes_on_on_the_other_machine(rule: str) -> None:
    model, other = trained(rule, "auto", "cuda"), trained(rule, "auto")
    other.load_state_dict(model.state_dict())
    compare(other.state_dict(), model.state_dict())


@pytest.mark.parametrize(("cell", "settings"), WRITES)
def test_arrays_are_written_as_on_the_cpu(cell: Cell, settings: Program) -> None:
    (one, told), (other, found) = written(cell, settings, "auto"), written(cell, settings, "auto", "cuda")
    compare(one.state_dict(), other.state_dict())
    assert told == found


def test_programmed_devices_age_as_on_the_cpu() -> None:
    settings = preset("pcm").with_(faults=StuckFaults(0.05, 0.05, "clusters"), compensation="tile")
    models: list[nn.Module] = [analog(2), analog(2).to("cuda")]
    for model in models:
        mho.program(model, settings)
        mho.age(model, 1e5)
    states = [{k: v.cpu() for k, v in model.state_dict().items() if ".programmed." in k} for model in models]
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-5, atol=1e-6 * float(value.abs().max()), msg=key)
