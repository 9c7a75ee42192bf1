"""Devices: laws and their parameters, one file per law."""

from mho.devices.base import Device, Draw, Faults, Leak, law
from mho.devices.constant_step import ConstantStep
from mho.devices.linear_step import LinearStep
from mho.devices.ops import absolute, exp, floor, log, maximum, minimum, power, sqrt, tanh, where
from mho.devices.soft_bounds import SoftBounds
from mho.devices.spread import Spread

__all__ = [
    "ConstantStep", "Device", "Draw", "Faults", "Leak", "LinearStep", "SoftBounds", "Spread", "absolute", "exp",
    "floor", "law", "log", "maximum", "minimum", "power", "sqrt", "tanh", "where",
]  # fmt: skip
