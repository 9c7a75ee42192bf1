"""The distillation loss against its formula written out, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mho.data import load
from mho.errors import ConfigError, ShapeError
from mho.inference import Distillation, distillation_loss
from mho.train.digital import fit


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


@pytest.mark.parametrize(("temperature", "weight"), [(1.0, 0.3), (2.0, 0.5), (4.0, 1.0), (2.0, 0.0)])
def test_the_loss_is_the_formula(temperature: float, weight: float) -> None:
    rng = np.random.default_rng(0)
    z, v, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    p, q = softmax(z / temperature), softmax(v / temperature)
    hard = -np.log(softmax(z)[np.arange(6), y]).mean()
    soft = (q * np.log(q / p)).sum(1).mean()
    expected = (1 - weight) * hard + weight * temperature**2 * soft
    found = distillation_loss(torch.tensor(z), torch.tensor(v), torch.tensor(y), temperature=temperature, weight=weight)
    assert float(found) == pytest.approx(expected, rel=1e-10)


def test_the_gradient_is_hintons() -> None:
    """Of the teacher's part: T (p - q) / batch for the student, and none for the teacher."""
    z = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    v = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    distillation_loss(z, v, torch.zeros(5, dtype=torch.int64), temperature=3.0, weight=1.0).backward()
    assert z.grad is not None
    expected = 3.0 * (torch.softmax(z / 3, 1) - torch.softmax(v / 3, 1)).detach() / 5
    torch.testing.assert_close(z.grad, expected)
    assert v.grad is None


def test_a_teacher_with_other_outputs_is_refused() -> None:
    labels = torch.zeros(5, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"student's outputs have shape \(5, 10\) and the teacher's \(5, 100\)"):
        distillation_loss(torch.zeros(5, 10), torch.zeros(5, 100), labels)
    with pytest.raises(ConfigError, match="temperature is above 0, found 0"):
        distillation_loss(torch.zeros(5, 10), torch.zeros(5, 10), labels, temperature=0)
    with pytest.raises(ConfigError, match=r"from 0 to 1, found 1\.5"):
        Distillation(nn.Linear(2, 2), weight=1.5)


def test_a_student_without_labels_learns_from_its_teacher() -> None:
    """With weight 1 the labels do not count: the student comes to say what the teacher says."""
    data = load("digits").first(400)
    teacher, student = (nn.Sequential(nn.Flatten(), nn.Linear(64, 10)) for _ in range(2))
    fit(teacher, data, epochs=10, optimizer=torch.optim.Adam(teacher.parameters(), lr=0.01), progress=False)
    before = teacher[1].weight.detach().clone()
    teacher.train()
    loss = Distillation(teacher, temperature=2.0, weight=1.0)
    fit(
        student, data, epochs=10, optimizer=torch.optim.Adam(student.parameters(), lr=0.01), loss=loss,
        progress=False,
    )  # fmt: skip
    assert torch.equal(teacher[1].weight, before)
    with torch.no_grad():
        agree = (student(data.train_x).argmax(1) == teacher(data.train_x).argmax(1)).float().mean()
    assert agree > 0.95


def test_the_teacher_is_asked_in_evaluation_mode() -> None:
    teacher = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train()
    loss, x, out = Distillation(teacher, weight=1.0), torch.rand(6, 4), torch.rand(6, 3)
    first, second = (loss.with_inputs(x, out, torch.zeros(6, dtype=torch.int64)) for _ in range(2))
    assert torch.equal(first, second)
