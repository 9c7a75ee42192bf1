"""The update without granularity on a GPU."""

from __future__ import annotations

from torch import Tensor

from mho.kernels.cells import Cells, Samples


def mean_update_(cells: Cells, samples: Samples, noisy: Tensor, device_of: Tensor | None) -> None:
    """Move the devices of a tile by one step's samples, in place, without pulses; see `reference.mean_update_`."""
    raise NotImplementedError
