"""Where a run is computed: the CPU or a GPU, settings of torch that make it repeat itself there, and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mho.config import RunConfig
from mho.config.places import on_gpu
from mho.errors import ConfigError
from mho.kernels.gpu.machine import about_gpu, check_gpu, out_of_memory, usable_gpu

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""What the library of products is told to give the same bits each time, before it is first used."""


def device_of(config: RunConfig, processes: int = 1) -> torch.device:
    """Return where a run of so many processes is computed; raise ConfigError where that cannot be."""
    asked = config.compute_device
    if processes > 1 and on_gpu(asked):
        raise ConfigError(
            f"{processes} processes of torchrun share every batch of a run, but compute_device is {asked!r}, and they "
            "exchange samples by the CPU's memory only; start one process on the GPU, or give compute_device=cpu"
        )
    if asked == "auto" and (processes > 1 or config.backend in ("cpu", "reference")):
        asked = "cpu"
    return chosen(asked, config.precision, interpreted=config.backend == "gpu")


def chosen(asked: str, precision: str, *, interpreted: bool = False) -> torch.device:
    """Return the device of a place to compute, as settings name it.

    interpreted: whether GPU kernels may run on the CPU, by Triton's interpreter. Raises ConfigError for a GPU that
    cannot compute, and for a precision that is none of the CPU's.
    """
    if asked == "auto":
        found = usable_gpu() or torch.device("cpu")
    else:
        found = check_gpu(asked) if on_gpu(asked) else torch.device("cpu")
    if found.type == "cuda":
        os.environ.setdefault(WORKSPACE, ":4096:8")
    elif precision != "float32" and not interpreted:
        raise ConfigError(
            f"precision={precision} is for products on a GPU, but compute_device={asked} is the CPU here, whose "
            "products are float32; give precision=float32, or compute on a GPU of compute capability 8.0 or more"
        )
    return found


@contextmanager
def computing(device: torch.device, chips: int, precision: str = "float32") -> Iterator[None]:
    """Compute on a device so that the same run gives the same bits; on the CPU there is nothing to do.

    Digital layers compute in float32 on a GPU, too, in "tf32" where `precision` is any lower one. Raises
    GpuMemoryError, with a number of chips to try, for torch's own error where memory runs out.
    """
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device), _repeatable(precision):
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise out_of_memory(device, chips) from error


@contextmanager
def _repeatable(precision: str) -> Iterator[None]:
    """Let torch choose algorithms that give the same bits each time; it warns of a user's layer that has none."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=precision != "float32"
        ):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def said_of(device: torch.device, precision: str) -> dict[str, Any]:
    """Return what summary.json says of where a run was computed."""
    found: dict[str, Any] = {"compute_device": str(device), "precision": precision}
    return found if device.type == "cpu" else {**found, "gpu": about_gpu(device)}
