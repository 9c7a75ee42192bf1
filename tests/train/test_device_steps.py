"""Which steps a run takes on a GPU, as graphs or one by one, and what is said where a step cannot be captured."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import mho.graph
from mho.data import Dataset, load
from mho.errors import NotFiniteError
from mho.nn.layer import analog_layers
from mho.train import stepper as steps
from mho.train import tally
from mho.train.loop import Trainer
from mho.train.stepper import GraphSteps, Steps, stepper
from train.runs import small


class Graph:
    """Stands for `mho.TrainingGraph`: does the step at once, and overwrites its outputs in the next call."""

    fails: BaseException | None = None

    def __init__(self, model: torch.nn.Module, optimizer: Any, loss: Any) -> None:
        self.optimizer, self.loss, self.calls = optimizer, loss, 0
        self.out = torch.empty(0)

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        self.calls += 1
        if self.fails is not None:
            raise self.fails
        loss, out = self.loss(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.out = self.out.resize_(out.shape).copy_(out.detach())
        return loss, self.out


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def _graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mho.graph, "TrainingGraph", Graph)
    monkeypatch.setattr(Graph, "fails", None)


@pytest.mark.usefixtures("_graphs")
def test_a_run_by_graphs_is_the_run_step_by_step(digits: Dataset) -> None:
    plain, graphed = Trainer(small(), digits), Trainer(small(), digits)
    graphed.steps = GraphSteps(graphed.model, graphed.optimizer)
    a, b = plain.next_line(), graphed.next_line()
    assert {k: v for k, v in a.items() if k != "seconds"} == {k: v for k, v in b.items() if k != "seconds"}
    assert graphed.steps.graph.calls == graphed.step - 1  # the first of the block is done plainly, its errors noted


@pytest.mark.usefixtures("_graphs")
def test_graphs_are_for_gpus_and_rules_without_a_timetable(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    trainer = Trainer(small(), digits)
    assert type(trainer.steps) is Steps
    monkeypatch.setattr(steps, "_on_gpu", lambda layers: True)
    assert type(stepper(trainer.model, trainer.optimizer, graphs=True)) is GraphSteps
    assert type(stepper(trainer.model, trainer.optimizer, graphs=False)) is Steps
    with_timetable = Trainer(small(cuda_graphs=False).with_(rule="ttv2"), digits)
    assert type(stepper(with_timetable.model, with_timetable.optimizer, graphs=True)) is Steps


@pytest.mark.usefixtures("_graphs")
def test_a_step_that_cannot_be_captured_runs_step_by_step(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    plain, graphed = Trainer(small(), digits), Trainer(small(), digits)
    graphed.steps = GraphSteps(graphed.model, graphed.optimizer)
    why = "CUDA error: operation not permitted when stream is capturing\nCUDA kernel errors might be ..."
    monkeypatch.setattr(Graph, "fails", RuntimeError(why))
    with pytest.warns(UserWarning, match=r"\(CUDA error: .* is capturing\).*--set cuda_graphs=false") as told:
        b = graphed.next_line()
    a = plain.next_line()
    assert len(told) == 1
    assert {k: v for k, v in a.items() if k != "seconds"} == {k: v for k, v in b.items() if k != "seconds"}


@pytest.mark.usefixtures("_graphs")
def test_other_errors_of_a_graph_end_the_run(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    trainer = Trainer(small(), digits)
    trainer.steps = GraphSteps(trainer.model, trainer.optimizer)
    for other in (RuntimeError("something else"), NotFiniteError("layer 'fc1'")):
        monkeypatch.setattr(Graph, "fails", other)
        with pytest.raises(type(other), match=r"something else|diverged"):
            trainer.run_epoch()


def test_a_run_that_diverges_on_a_gpu_says_by_when(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    """There the optimizer is asked between blocks of steps, and before a checkpoint."""
    trainer = Trainer(small(), digits)

    def check() -> None:
        raise NotFiniteError("layer 'fc1'")

    monkeypatch.setattr(trainer.optimizer, "check", check)
    monkeypatch.setattr(Trainer, "_on_gpu", property(lambda self: True))
    with pytest.raises(NotFiniteError, match="diverged in epoch 1, at step 6 or before: layer 'fc1'"):
        trainer.next_line()


def test_errors_of_a_gpu_are_noted_at_the_end(digits: Dataset) -> None:
    trainer = Trainer(small(), digits)
    errors = tally.Errors(trainer.model)
    for k, layer in enumerate(analog_layers(trainer.model)):
        errors.waiting += [(layer.name, torch.tensor([1.0 + k, 3.0 + k]))] * 2
    found = errors.quantiles()
    assert [tops[0] for tops in found.values()] == [1.0, 2.0, 3.0]
    assert errors.waiting == []
