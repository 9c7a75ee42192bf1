"""A model evaluates for a while, and every module has its own mode again."""

from __future__ import annotations

import pytest
from torch import nn

from mho.nn.modes import evaluating


def frozen() -> nn.Sequential:
    """Return a model that trains, with one layer that does not."""
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), nn.Linear(2, 2)).train()
    model[0][1].eval()  # type: ignore[index]
    return model


def test_every_module_evaluates_and_then_has_its_own_mode() -> None:
    model = frozen()
    before = [m.training for m in model.modules()]
    with evaluating(model):
        assert not any(m.training for m in model.modules())
    assert [m.training for m in model.modules()] == before


def test_an_error_leaves_the_modes_as_they_were() -> None:
    model = frozen()
    before = [m.training for m in model.modules()]
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert [m.training for m in model.modules()] == before
