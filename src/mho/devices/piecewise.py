"""The piecewise-step device, whose step sizes are given at nodes over its range."""

from __future__ import annotations

from typing import Any

from mho.devices.base import Array, Device, Draw, law
from mho.devices.ops import interpolate, maximum, minimum, where
from mho.devices.spread import PerChip, Spread
from mho.devices.steps import Wrong, check_steps, step_sizes
from mho.devices.table import Nodes, both_ways, check_sizes, places


class PiecewiseStep(Device):
    """A device whose step is a broken line in w, with nodes of its own up and down.

    up:    w <- w + a+ u(p) (1 + c2c xi)
    down:  w <- w - a- d(p) (1 + c2c xi),   clipped to [b_min, b_max]

    u and d are the straight lines through `nodes_up` and `nodes_down`, the first node at the device's own b_min and the
    last at its b_max: p = (w - b_min)/(b_max - b_min) (nodes - 1). Nodes are step sizes in units of a+-, so with all
    nodes 1 it is `ConstantStep`; the step at w = 0 need not be dw_min. Unlike `TabularStep` the noise is relative to
    the step. Reference: IBM aihwkit `PiecewiseStepDevice`.
    """

    dw_min: Spread = Spread(0.001, d2d=0.3)
    up_down: Spread = Spread(1.0, d2d=0.02)
    w_max: Spread = Spread(0.6, d2d=0.3)
    w_min: Spread = Spread(-0.6, d2d=0.3)
    nodes_up: Nodes = (1.6, 1.2, 1.0, 0.8, 0.4)
    nodes_down: Nodes = (0.4, 0.8, 1.0, 1.2, 1.6)
    c2c: PerChip = 0.3

    def check(self) -> Wrong:
        """Yield what is wrong with steps, bounds or nodes."""
        yield from check_steps(self.dw_min, self.up_down, self.w_max, self.w_min, self.c2c)
        yield from check_sizes(nodes_up=self.nodes_up, nodes_down=self.nodes_down)

    def cells(self, draw: Draw) -> dict[str, Array]:
        """Return step sizes and bounds of every device, and the nodes that all share."""
        up, down = step_sizes(draw, self.dw_min, self.up_down)
        top, bottom = draw(self.w_max), draw(self.w_min)
        place = places(self.nodes_up, bottom, top)
        steps = {"a_up": up, "a_down": -down, "sizes": both_ways(self.nodes_up, self.nodes_down)}
        return steps | place | {"top": top, "bottom": bottom, "c2c": self.c2c}

    @law
    def pulse(
        w: Any, up: Any, xi: Any, a_up: Any, a_down: Any, sizes: Any, per_w: Any, behind: Any, top: Any, bottom: Any,
        c2c: Any,
    ) -> Any:  # fmt: skip
        """Move by a step that is read from the nodes on both sides of w."""
        p = (w - bottom) * per_w + where(up, 0.0, behind)
        step = where(up, a_up, a_down) * interpolate(sizes, p) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)
