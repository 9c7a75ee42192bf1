"""Devices: laws and their parameters, one file per law."""

from mho.devices.base import Device, Draw, Faults, Leak, law
from mho.devices.capacitor import Capacitor
from mho.devices.constant_step import ConstantStep
from mho.devices.exp_step import ExpStep
from mho.devices.jump_step import JumpStep
from mho.devices.linear_step import LinearStep
from mho.devices.one_sided import OneSided
from mho.devices.ops import absolute, exp, floor, interpolate, log, maximum, minimum, power, sqrt, tanh, where
from mho.devices.phase_change import PhaseChange
from mho.devices.piecewise import PiecewiseStep
from mho.devices.pow_step import PowStep
from mho.devices.pow_step_reference import PowStepReference
from mho.devices.soft_bounds import SoftBounds
from mho.devices.soft_bounds_pmax import SoftBoundsPmax
from mho.devices.soft_bounds_reference import SoftBoundsReference
from mho.devices.spread import Spread
from mho.devices.table import Nodes, Table
from mho.devices.tabular import TabularStep
from mho.devices.unipolar_jump import UnipolarJump
from mho.devices.unipolar_phase_change import UnipolarPhaseChange
from mho.devices.unipolar_soft_bounds import UnipolarSoftBounds

__all__ = [
    "Capacitor", "ConstantStep", "Device", "Draw", "ExpStep", "Faults", "JumpStep", "Leak", "LinearStep", "Nodes",
    "OneSided", "PhaseChange", "PiecewiseStep", "PowStep", "PowStepReference", "SoftBounds", "SoftBoundsPmax",
    "SoftBoundsReference", "Spread", "Table", "TabularStep", "UnipolarJump", "UnipolarPhaseChange",
    "UnipolarSoftBounds", "absolute", "exp", "floor", "interpolate", "law", "log", "maximum", "minimum", "power",
    "sqrt", "tanh", "where",
]  # fmt: skip
