"""Layers on analog tiles, and conversion of torch models to them and back."""

from mho.nn.backend import set_backend, set_precision
from mho.nn.batchnorm import L1BatchNorm1d, L1BatchNorm2d, TopKBatchNorm1d, TopKBatchNorm2d
from mho.nn.chips import chip_loss, per_chip, spread
from mho.nn.conv import AnalogConv1d, AnalogConv2d, AnalogConv3d
from mho.nn.convert import convert_to_analog, convert_to_digital, summary
from mho.nn.digital import ChipDropout, PerChip
from mho.nn.layer import AnalogLayer
from mho.nn.linear import AnalogLinear
from mho.nn.parameter import AnalogParameter
from mho.nn.zero_shift import LayerShift, ShiftReport, zero_shift

__all__ = [
    "AnalogConv1d", "AnalogConv2d", "AnalogConv3d", "AnalogLayer", "AnalogLinear", "AnalogParameter", "ChipDropout",
    "L1BatchNorm1d", "L1BatchNorm2d", "LayerShift", "PerChip", "ShiftReport", "TopKBatchNorm1d", "TopKBatchNorm2d",
    "chip_loss", "convert_to_analog", "convert_to_digital", "per_chip", "set_backend", "set_precision", "spread",
    "summary", "zero_shift",
]  # fmt: skip
