"""The automatic scale of the fast array follows every pass of a step, and gamma of residual learning is above 0."""

from __future__ import annotations

import pytest
import torch

from mho.devices import ConstantStep
from mho.errors import ConfigError
from mho.tiles.place import Place
from mho.update import Making
from mho.update.residual import Residual
from mho.update.ttv2 import TTv2


def test_all_passes_of_a_step_enter_the_running_maxima():
    rule = TTv2(auto_scale=True, fast_lr=0.5, scale_fast_lr=False)
    one = rule.learner(Making(ConstantStep(), Place("a", (3, 4))))
    given = [(torch.full((1, 2, 4), x), torch.full((1, 2, 3), d)) for x, d in ((0.5, 0.1), (1.0, 0.3), (0.2, 0.2))]
    first = one.prepare(*given[0], 0.1, bias=False, first=0, positions=1)
    one.apply_(first)
    one.rest_()
    passes = [one.prepare(x, d, 0.1, bias=False, first=2 * i, positions=1) for i, (x, d) in enumerate(given[1:])]
    for token in passes:
        one.apply_(token)
    expected = torch.tensor([[0.5], [0.1]])
    for found in (torch.tensor([[1.0], [0.3]]), torch.tensor([[0.2], [0.2]])):
        expected = 0.99 * expected + 0.01 * found
    torch.testing.assert_close(one.fast_rate.maxima, expected)


def test_residual_learning_needs_a_share_of_the_fast_array():
    with pytest.raises(ConfigError, match=r"gamma must be finite and above 0|gamma: must be finite and above 0"):
        Residual(gamma=0.0)
    with pytest.raises(ConfigError, match="gamma"):
        Residual(gamma=[0.1, 0.0])
    assert Residual(gamma=[0.1, 0.2]).gamma == (0.1, 0.2)
