"""The test of costs: known numbers, false alarms, and what one wild arm does to the others."""

from __future__ import annotations

import numpy as np
import pytest

from mho.ablation.arms import CONFIGURED, NONE, Arm
from mho.ablation.costs import LEVEL, costs
from mho.config import preset
from mho.train.unattended import Ended

CONFIG = preset("ideal")
NAMES = [f"p{k}" for k in range(10)]
ARMS = [
    Arm(CONFIGURED, "configured", CONFIG), Arm(NONE, "none", CONFIG),
    *(Arm(f"{n} off", "off", CONFIG, CONFIGURED) for n in NAMES),
    *(Arm(f"{n} alone", "alone", CONFIG, NONE) for n in NAMES),
]  # fmt: skip
ABOUT = dict.fromkeys(NAMES, "")


def ended(seed: int, seeds: int = 3, **moved: float) -> dict[str, Ended]:
    """Return arms of equal means, but for those moved, with a deviation of 0.3 points."""
    draw = np.random.default_rng(seed)
    return {
        a.name: Ended(tuple(95 + moved.get(a.name.replace(" ", "_"), 0.0) + 0.3 * draw.standard_normal(seeds)))
        for a in ARMS
    }


def test_signs_and_ranks() -> None:
    rows = costs(ARMS, ended(0, p3_off=4.0, p3_alone=-2.0, p7_alone=-4.0), ABOUT)
    assert [row.name for row in rows[:2]] == ["p3", "p7"]
    assert rows[0].off.points == pytest.approx(4, abs=1)
    assert rows[0].off.significant
    assert rows[0].alone is not None
    assert rows[0].alone.points == pytest.approx(2, abs=1)
    assert rows[0].alone.significant
    assert not rows[1].off.significant
    assert rows[1].alone is not None
    assert rows[1].alone.significant


def test_the_error_is_that_of_the_deviation() -> None:
    errors = [row.off.error for seed in range(40) for row in costs(ARMS, ended(seed), ABOUT)]
    assert np.median(errors) == pytest.approx(0.3 * (2 / 3) ** 0.5, rel=0.15)


def test_false_alarms_are_as_rare_as_stated() -> None:
    trials = 400
    alarms = sum(
        any(c is not None and c.significant for row in costs(ARMS, ended(seed), ABOUT) for c in (row.off, row.alone))
        for seed in range(trials)
    )
    sigma = (LEVEL * (1 - LEVEL) * trials) ** 0.5
    assert alarms <= LEVEL * trials + 3 * sigma  # chance of a false failure: below 0.2 %


def test_one_wild_arm_does_not_hide_the_others() -> None:
    found = ended(1, p2_off=2.0)
    found["p5 off"] = Ended((10.0, 60.0, 95.0))
    rows = {row.name: row for row in costs(ARMS, found, ABOUT)}
    assert rows["p2"].off.significant
    assert rows["p2"].off.error < 0.5
    assert rows["p5"].off.error > 10  # its own deviation, not that of all arms


def test_arms_without_any_spread() -> None:
    found = {a.name: Ended((90.0, 90.0)) for a in ARMS} | {"p0 off": Ended((91.0, 91.0))}
    rows = costs(ARMS, found, ABOUT)
    assert rows[0].name == "p0"
    assert rows[0].off.significant
    assert rows[0].off.error == 0
    assert not any(row.off.significant for row in rows[1:])
