"""Knowledge distillation: a student learns from labels and from the outputs of a trained teacher."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mho.errors import ConfigError, ShapeError


def distillation_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, *, temperature: float = 2.0, weight: float = 0.5
) -> Tensor:
    r"""Return the loss of a student's outputs (batch, classes) beside the teacher's, the mean over the batch.

    $$L = (1 - \alpha)\,H(y, p_1) + \alpha T^2\,\mathrm{KL}(q_T \,\|\, p_T),
      \qquad p_T = \mathrm{softmax}(z/T),\ q_T = \mathrm{softmax}(v/T)$$

    z: `student` and v: `teacher`, before any softmax; T: temperature; alpha: weight of the teacher, from 0 to 1. T^2
    keeps the size of the gradients (Hinton, Vinyals & Dean, arXiv 1503.02531, section 2). No gradient enters the
    teacher. Raises ShapeError when teacher and student have other outputs, ConfigError for impossible T or alpha.
    """
    _check(temperature, weight)
    if student.shape != teacher.shape:
        raise ShapeError(
            f"the student's outputs have shape {tuple(student.shape)} and the teacher's {tuple(teacher.shape)}, so "
            "they do not speak of the same classes; take a teacher trained on the data of the student"
        )
    hard = F.cross_entropy(student, labels)
    log_p = F.log_softmax(student / temperature, dim=1)
    log_q = F.log_softmax(teacher.detach() / temperature, dim=1)
    soft = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
    return (1 - weight) * hard + weight * temperature**2 * soft


def _check(temperature: float, weight: float) -> None:
    if not 0 < temperature < math.inf:
        raise ConfigError(f"temperature is above 0, found {temperature}; 1 leaves the teacher's outputs as they are")
    if not 0 <= weight <= 1:
        raise ConfigError(f"weight is the teacher's share of the loss, from 0 to 1, found {weight}")


class Distillation:
    """A loss for `mho.train.digital.fit`: the teacher sees the inputs of every batch, in evaluation mode."""

    def __init__(self, teacher: nn.Module, *, temperature: float = 2.0, weight: float = 0.5) -> None:
        _check(temperature, weight)
        self.teacher, self.temperature, self.weight = teacher, temperature, weight

    def with_inputs(self, x: Tensor, out: Tensor, labels: Tensor) -> Tensor:
        """Return `distillation_loss` of the student's outputs `out` for the inputs x."""
        with torch.no_grad():
            taught = self.teacher.to(x.device).eval()(x)
        return distillation_loss(out, taught, labels, temperature=self.temperature, weight=self.weight)
