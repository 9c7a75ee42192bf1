"""What `backend("gpu")` is: the updates on a GPU, with the CPU modules' signatures and meaning."""

from __future__ import annotations

from mho.kernels.gpu.burst import burst_
from mho.kernels.gpu.mean import mean_update_
from mho.kernels.gpu.pulse import pulse_update_
from mho.kernels.gpu.trains import rates

__all__ = ["burst_", "mean_update_", "pulse_update_", "rates"]
