"""Characterize devices as a measurement would: response to pulses, step sizes, symmetry point."""

from mho.characterize.response import Response, pulses_across, response
from mho.characterize.sample import Sample
from mho.characterize.steps import StepSizes, steps_by_state

__all__ = ["Response", "Sample", "StepSizes", "pulses_across", "response", "steps_by_state"]
