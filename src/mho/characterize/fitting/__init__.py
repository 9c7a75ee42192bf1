"""Fit device laws to pulse measurements: read, prepare, fit every law, rank, and make a device with its spreads."""

from mho.characterize.fitting.choose import Fit, fit_devices
from mho.characterize.fitting.ranking import Ranked
from mho.characterize.fitting.read import UNITS, Measurements, read_measurements

__all__ = ["UNITS", "Fit", "Measurements", "Ranked", "fit_devices", "read_measurements"]
