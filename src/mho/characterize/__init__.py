"""Characterize devices as a measurement would: response to pulses, step sizes, symmetry point, number of states."""

from mho.characterize.characteristics import Characteristics, characterize
from mho.characterize.check import Check, check_device
from mho.characterize.cycle import pulses_across
from mho.characterize.response import Response, response
from mho.characterize.sample import Sample
from mho.characterize.states import States, number_of_states
from mho.characterize.steps import StepSizes, steps_by_state

__all__ = [
    "Characteristics", "Check", "Response", "Sample", "States", "StepSizes", "characterize", "check_device",
    "number_of_states", "pulses_across", "response", "steps_by_state",
]  # fmt: skip
