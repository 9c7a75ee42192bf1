"""Compensation of drift: what it takes away exactly, and how well it does under noise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mho.inference.compensation import factors
from mho.inference.settings import Compensation

KINDS: tuple[Compensation, ...] = ("global", "column", "tile")


def shown(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


BEFORE = [shown(1, 3, 40, 60), shown(2, 3, 40, 7), shown(3, 3, 10, 60)]
"""What three arrays show on three chips."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_uniform_drift_is_removed_exactly(kind: Compensation) -> None:
    """All conductances fell to 2^-2 of what they were, which floats hold exactly: nothing is left of it."""
    after = [0.25 * b for b in BEFORE]
    for before, now, factor in zip(BEFORE, after, factors(BEFORE, after, kind), strict=True):
        assert torch.equal(now * factor, before)


@pytest.mark.parametrize("kind", KINDS)
def test_any_uniform_drift_is_removed_to_rounding(kind: Compensation) -> None:
    after = [0.7331 * b for b in BEFORE]
    for before, now, factor in zip(BEFORE, after, factors(BEFORE, after, kind), strict=True):
        torch.testing.assert_close(now * factor, before, rtol=1e-6, atol=0.0)


def test_each_kind_removes_what_is_uniform_in_its_reach() -> None:
    chips = torch.tensor([0.9, 0.7, 0.5]).view(3, 1, 1)
    tiles, lines = torch.tensor([1.0, 0.8, 0.6]), [shown(k, 3, b.shape[1], 1).abs() + 0.2 for k, b in enumerate(BEFORE)]
    by = {
        "global": [chips * b for b in BEFORE],
        "tile": [chips * t * b for t, b in zip(tiles, BEFORE, strict=True)],
        "column": [chips * line * b for line, b in zip(lines, BEFORE, strict=True)],
    }
    order: tuple[Compensation, ...] = ("global", "tile", "column")
    for reach, after in by.items():
        for kind in order:
            made = factors(BEFORE, after, kind)
            errors = [float((a * f - b).abs().max()) for a, f, b in zip(after, made, BEFORE, strict=True)]
            assert (max(errors) < 1e-5) == (order.index(kind) >= order.index(reach)), (reach, kind)  # type: ignore[arg-type]


def test_shapes_and_none() -> None:
    after = [0.5 * b for b in BEFORE]
    rows = {"none": (1, 1, 1), "global": (1, 1, 1), "tile": (1, 1, 1), "column": (40, 40, 10)}
    for kind in ("none", *KINDS):
        assert [tuple(f.shape) for f in factors(BEFORE, after, kind)] == [(3, r, 1) for r in rows[kind]]
    assert all(torch.equal(f, torch.ones_like(f)) for f in factors(BEFORE, after, "none"))


def test_noise_of_reading_does_not_bias_the_factor() -> None:
    """The mean over 2,000 arrays is 1/0.8, as far as its own standard error tells: off by 5 once in 1.7 million."""
    before = shown(5, 2000, 20, 30)
    after = 0.8 * before + 0.4 * shown(6, 2000, 20, 30)
    found = 1.0 / factors([before], [after], "tile")[0].double()
    assert abs(float(found.mean()) - 0.8) < 5 * float(found.std()) / math.sqrt(2000)
    assert float(found.std()) == pytest.approx(0.4 / math.sqrt(600), rel=0.1)


def test_where_nothing_is_left_nothing_is_multiplied() -> None:
    before, after = BEFORE[0].clone(), BEFORE[0].clone()
    before[0, 3] = after[0, 3] = 0.0
    after[1, 4] *= -1.0
    after[2, 5] *= 1e-4
    found = factors([before], [after], "column")[0]
    assert [float(found[k, row, 0]) for k, row in enumerate((3, 4, 5))] == [1.0, 1.0, 100.0]
    torch.testing.assert_close(found[0, :3], torch.ones(3, 1))


def test_chips_do_not_share_factors() -> None:
    after = [b * torch.tensor([0.5, 1.0, 1.0]).view(3, 1, 1) for b in BEFORE]
    for kind in KINDS:
        alone = factors([b[:1] for b in BEFORE], [a[:1] for a in after], kind)
        for many, one in zip(factors(BEFORE, after, kind), alone, strict=True):
            torch.testing.assert_close(many[:1], one)
            assert float(many[1:].max()) == pytest.approx(1.0)
