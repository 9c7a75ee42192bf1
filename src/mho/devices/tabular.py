"""The tabular device: a measured map of state and direction to the mean and the spread of a step."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import interpolate, maximum, minimum, where
from mho.devices.spread import Spread
from mho.devices.steps import Wrong, check_bounds, check_positive
from mho.devices.table import Nodes, both_ways, check_sizes, places


class TabularStep(Device):
    """A device that steps as it was measured to: mean and standard deviation of a step at nodes over its range.

    up:    w <- w + s (m+(p) + e+(p) xi)
    down:  w <- w - s (m-(p) + e-(p) xi),   clipped to [b_min, b_max]

    m+- and e+- are the straight lines through `up_mean`, `down_mean`, `up_std` and `down_std`, in weight units and of
    equal length: the first node at the device's own b_min, the last at its b_max, p = (w - b_min)/(b_max - b_min)
    (nodes - 1). `scale` is a factor s of every device's steps. Unlike `PiecewiseStep` the noise is measured, too: it
    may be large where steps are small. Reference: none; it is the measurement.
    """

    up_mean: Nodes = (0.0016, 0.0012, 0.0010, 0.0008, 0.0004)
    down_mean: Nodes = (0.0004, 0.0008, 0.0010, 0.0012, 0.0016)
    up_std: Nodes = (0.0004, 0.0004, 0.0003, 0.0003, 0.0003)
    down_std: Nodes = (0.0003, 0.0003, 0.0003, 0.0004, 0.0004)
    scale: Spread = Spread(1.0, d2d=0.3)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)

    def check(self) -> Wrong:
        """Yield what is wrong with the scale, bounds or tables."""
        yield from check_bounds(self.w_max, self.w_min)
        yield from check_positive(self.scale, "the factor of the steps")
        yield from check_sizes(
            up_mean=self.up_mean, down_mean=self.down_mean, up_std=self.up_std, down_std=self.down_std
        )

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return scale and bounds of every device, and the tables that all share."""
        top, bottom = draw(self.w_max), draw(self.w_min)
        tables = {"mean": both_ways(self.up_mean, self.down_mean), "std": both_ways(self.up_std, self.down_std)}
        scale = draw(self.scale)
        return tables | places(self.up_mean, bottom, top) | {"scale": scale, "top": top, "bottom": bottom}

    @law
    def pulse(
        w: Any, up: Any, xi: Any, mean: Any, std: Any, scale: Any, per_w: Any, behind: Any, top: Any, bottom: Any,
    ) -> Any:  # fmt: skip
        """Move by a step whose mean and deviation are read from the nodes on both sides of w."""
        p = (w - bottom) * per_w + where(up, 0.0, behind)
        step = (interpolate(mean, p) + interpolate(std, p) * xi) * where(up, scale, -scale)
        return minimum(maximum(w + step, bottom), top)
