"""Ideal analog configurations and small networks for the layer tests."""

from __future__ import annotations

import torch

from mho import AnalogConfig, Periphery, Update
from mho.devices import ConstantStep, Spread


def wide(**changes) -> ConstantStep:
    """Return a device without spreads or noise, whose bounds are out of reach."""
    values = {"dw_min": 0.001, "up_down": 1.0, "w_max": 50.0, "w_min": -50.0, "c2c": 0.0}
    values |= changes
    return ConstantStep(**{k: v if k == "c2c" or isinstance(v, Spread) else Spread(v) for k, v in values.items()})


def of(layout) -> dict:
    """Return settings of a layout by their paths."""
    cell = ("devices", "combine", "pulsed")
    return {f"{'cell' if k in cell else 'mapping'}.{k}": v for k, v in layout.items()}


def ideal(**layout) -> AnalogConfig:
    """Return a configuration with exact products and exact updates: plain SGD on tiles."""
    return AnalogConfig(
        device=wide(),
        forward=Periphery(ideal=True),
        update=Update(trains="ideal"),
    ).with_(of(layout))


def quiet(**layout) -> AnalogConfig:
    """Return a configuration with exact products and pulsed updates of a device without spreads."""
    return AnalogConfig(device=wide(), forward=Periphery(ideal=True)).with_(of(layout))


def close(a, b, tolerance=2e-5):
    """Fail unless two tensors agree to rounding of sums of a few hundred terms of order 1."""
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
