"""Models of one's own, trained by several ranks of torchrun: every rank holds the chips of one process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import mho.periphery.product
from distributed import scenarios
from distributed.launching import torchrun

RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""Digital gradients are added in another order: 6 steps of float32."""
States = Callable[[int], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    """Return what gives the states of all ranks, by scenario; each number of ranks is launched once."""
    held: dict[int, list[dict[str, Any]]] = {}

    def of(size: int) -> list[dict[str, Any]]:
        if size not in held:
            out = tmp_path_factory.mktemp(f"ranks{size}")
            done = torchrun(size, Path(scenarios.__file__), out)
            assert done.returncode == 0, done.stderr
            held[size] = [torch.load(out / f"{rank}.pt") for rank in range(size)]
        return held[size]

    return of


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, torch.Tensor]]:
    """Return what trains a scenario in this process."""
    monkeypatch.setattr(mho.periphery.product, "matmul", scenarios.by_rows)
    return lambda name: scenarios.train(scenarios.SCENARIOS[name])


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_every_rank_holds_the_chips_of_one_process(
    name: str, size: int, states: States, alone: Callable[[str], dict[str, torch.Tensor]]
) -> None:
    found = [one[name] for one in states(size)]
    assert all(isinstance(one, dict) for one in found), found
    wanted = alone(name)
    losses = sum(one.pop("losses") for one in found)
    scenario = scenarios.SCENARIOS[name]
    for key in found[0]:
        assert all(torch.equal(found[0][key], one[key]) for one in found[1:]), f"{key} differs among ranks"
    # A third is no binary number: a mean over three ranks rounds.
    exact = scenario.exact and not (scenario.loss == "mean" and size == 3)
    for key, value in found[0].items():
        if exact:
            assert torch.equal(value, wanted[key]), key
        else:
            assert torch.allclose(value, wanted[key], rtol=RELATIVE, atol=ABSOLUTE), key
    share = size if scenario.loss == "mean" else 1
    torch.testing.assert_close(losses / share, wanted["losses"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_a_scenario_moves_what_it_compares(name: str, alone: Callable[[str], dict[str, torch.Tensor]]) -> None:
    first = scenarios.SCENARIOS[name]
    torch.manual_seed(3)
    start = mho.convert_to_analog(first.net(), first.config, chips=first.chips, seed=5).state_dict()
    found = alone(name)
    moved = [k for k in start if k.endswith(("state", ".bias", "learned", "running_mean")) and start[k].numel()]
    assert any(not torch.equal(start[k], found[k]) for k in moved)
    if "pulses" not in name and first.config.update.trains == "stochastic":
        assert sum(int(v.sum()) for k, v in found.items() if k.endswith("totals")) > 0
