"""The properties that every device has: all laws and all published devices, over drawn parameters, states and noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mho.characterize import agreement, properties
from mho.characterize.check import GROUPS, check_device
from mho.characterize.properties import LeftOut
from mho.characterize.subject import Subject
from mho.config.laws import laws
from mho.devices import Spread, catalogue
from mho.errors import ConfigError

LAWS = laws()
COMPILED = {properties.is_lawful, properties.returns_states, agreement.compiles_for_gpus}
"""What depends on the law alone, and is looked at once."""
DRAWN = [check for group in GROUPS for check in group if check not in COMPILED]
FACTORS = st.floats(0.4, 2.5)


@st.composite
def devices(draw, kind):
    """Draw a device of a law: its numbers changed by factors, other spreads, switches either way."""
    base = kind()
    changes = {}
    for f in dataclasses.fields(base):
        value = getattr(base, f.name)
        if isinstance(value, Spread):
            mean = np.multiply(value.mean, draw(FACTORS)).tolist()
            d2d = draw(st.sampled_from([0.0, 0.05, 0.3]))
            changes[f.name] = Spread(mean, d2d=d2d, std=np.multiply(value.std, draw(FACTORS)).tolist())
        elif isinstance(value, bool) and f.name != "shifted":
            changes[f.name] = draw(st.booleans())
        elif isinstance(value, float):
            changes[f.name] = value * draw(st.floats(0.8, 1.25))  # also exponents, which make steps vanish
        elif f.name in base._tables():
            factors = draw(st.lists(FACTORS, min_size=len(value), max_size=len(value)))
            changes[f.name] = np.multiply(value, factors).tolist()
    try:
        return dataclasses.replace(base, **changes)
    except ConfigError:
        return assume(False)


@pytest.mark.parametrize("kind", LAWS.values(), ids=LAWS)
def test_every_law_passes_its_check(kind):
    found = check_device(kind)
    assert found.ok, found


@pytest.mark.parametrize("row", catalogue.devices(), ids=lambda row: row.name)
def test_every_published_device_has_the_properties(row):
    for check in DRAWN:
        assert problems(check, row.device) == []


@pytest.mark.parametrize("kind", LAWS.values(), ids=LAWS)
@given(data=st.data())
@settings(max_examples=6)
def test_every_law_has_the_properties_for_drawn_parameters(kind, data):
    device = data.draw(devices(kind))
    for check in DRAWN:
        assert problems(check, device) == [], device


@pytest.mark.parametrize("kind", LAWS.values(), ids=LAWS)
@given(data=st.data(), pulses=st.lists(st.tuples(st.booleans(), st.floats(-6, 6, width=32)), max_size=40))
@settings(max_examples=12)
def test_any_pulses_keep_states_finite_and_in_bounds(kind, data, pulses):
    subject = Subject(data.draw(devices(kind)), extreme=True, seed=data.draw(st.integers(0, 9)))
    state = subject.grid((data.draw(st.floats(0, 1, width=32)),))
    extra = subject.initial(state)
    for up, xi in pulses:
        state, *extra = subject.law(state, up, xi, extra)
        assert np.isfinite([state, *extra]).all()
        if subject.bounded:
            assert (state <= subject.high).all()
            assert (state >= subject.low).all()


def problems(check, device):
    """Return what a property finds wrong with a device; what is left out is not wrong."""
    try:
        return list(check(device))
    except LeftOut:
        return []
