"""Gradients that are not those of the values."""

from __future__ import annotations

import torch

from mho.nn.gradients import scaled_gradient


def test_the_gradient_alone_is_scaled() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    y = scaled_gradient(x, 0.25)
    y.backward()
    assert float(y.detach()) == 3.0
    assert x.grad is not None
    assert float(x.grad) == 0.25
