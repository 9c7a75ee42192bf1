"""What this machine's NVIDIA GPUs are: whether one can compute here, what it is, and how much of its memory is free."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch

from mho.errors import ConfigError, GpuMemoryError

LEAST = (8, 0)
"""Compute capability that the kernels need: they are compiled for it, and bf16 products exist from it on (Ampere)."""
DRIVER_FILE = Path("/proc/driver/nvidia/version")

Device = torch.device | str


def check_gpu(device: Device = "cuda") -> torch.device:
    """Return a CUDA device with its number, or raise ConfigError where mho cannot compute on it.

    That is where torch has no CUDA, there is no GPU of this number, its compute capability is below 8.0, or Triton is
    missing. A GPU that passed is not looked at again.
    """
    asked = torch.device(device)
    check_cuda(f"device {str(asked)!r}")
    index = torch.cuda.current_device() if asked.index is None else asked.index
    _check_index(index)
    return torch.device("cuda", index)


def usable_gpu() -> torch.device | None:
    """Return the current CUDA device where mho can compute on it, None elsewhere."""
    try:
        return check_gpu("cuda")
    except ConfigError:
        return None


def check_cuda(asked: str) -> None:
    """Raise ConfigError, saying what torch this is, where it cannot use an NVIDIA GPU; `asked`: what for."""
    if torch.version.hip is not None:
        raise ConfigError(
            f"{asked} was asked for, but this torch ({torch.__version__}) is built for AMD GPUs (ROCm), and the "
            "kernels of mho are for NVIDIA's; install a CUDA build of torch where there is an NVIDIA GPU, or compute "
            "on the CPU (--device cpu)"
        )
    if torch.version.cuda is None:
        raise ConfigError(
            f"{asked} was asked for, but this torch ({torch.__version__}) is built without CUDA; {_cuda_build()}, or "
            "compute on the CPU (--device cpu)"
        )
    if not torch.cuda.is_available():
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        seen = "" if hidden is None else f" (CUDA_VISIBLE_DEVICES={hidden!r} says which ones it may see)"
        raise ConfigError(
            f"{asked} was asked for, but torch {torch.__version__}, built for CUDA {torch.version.cuda}, finds no "
            f"NVIDIA GPU{seen}; see that nvidia-smi lists one and its driver is new enough for CUDA "
            f"{torch.version.cuda}, or compute on the CPU (--device cpu)"
        )


def _cuda_build() -> str:
    if platform.system() == "Darwin":
        return "there is none for macOS: use Linux with an NVIDIA GPU"
    return "install one with CUDA (pytorch.org says how for each system; on Linux a plain pip install torch brings it)"


@cache
def _check_index(index: int) -> None:
    """Raise ConfigError for a GPU that is not there, is too old, or has no Triton; not cached then."""
    count = torch.cuda.device_count()
    if not 0 <= index < count:
        have = "one GPU, cuda:0" if count == 1 else f"{count} GPUs, cuda:0 to cuda:{count - 1}"
        raise ConfigError(f"device 'cuda:{index}' was asked for, but torch finds {have}; give one of these")
    found = capability(index)
    if found < LEAST:
        raise ConfigError(
            f"device 'cuda:{index}' was asked for, which is {gpu_name(index)} with compute capability "
            f"{found[0]}.{found[1]}, but the kernels of mho need {LEAST[0]}.{LEAST[1]} or more (Ampere, of 2020, and "
            "later: A100, RTX 30, ...); give another GPU, or compute on the CPU (--device cpu)"
        )
    if find_spec("triton") is None:
        brings = "CUDA builds of torch for Linux bring it: install torch again, or pip install triton"
        if platform.system() == "Windows":
            brings = "there is no official one for Windows: use Linux, or WSL 2"
        raise ConfigError(
            f"device 'cuda:{index}' was asked for, but Triton, which compiles device laws for GPUs, is not installed; "
            f"{brings}; or compute on the CPU (--device cpu)"
        )


def capability(device: Device | int) -> tuple[int, int]:
    """Return the compute capability of a GPU, (8, 0) for 8.0."""
    major, minor = torch.cuda.get_device_capability(device)
    return major, minor


def gpu_name(device: Device | int) -> str:
    """Return the name of a GPU."""
    return torch.cuda.get_device_name(device)


def free_bytes(device: Device | int) -> int:
    """Return the bytes of a GPU's memory that this process can still take: free ones, and those that torch keeps."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def check_memory(device: Device | int, chips: int, *, per_chip: float, shared: float = 0.0) -> None:
    """Raise GpuMemoryError, saying how many chips would fit, where `chips` need more memory than is free.

    per_chip: bytes of each chip. shared: bytes beside them, whatever the number of chips.
    """
    free, need = free_bytes(device), chips * per_chip + shared
    if need > free:
        fits = max(0, int((free - shared) // per_chip))
        raise too_little(device, chips, fits, f"{chips_need(chips)} {size(need)}, {size(free)} are free")


def out_of_memory(device: Device | int, chips: int) -> GpuMemoryError:
    """Return the error for torch.OutOfMemoryError on a GPU that held `chips`: what was taken, and a number to try."""
    peak = torch.cuda.max_memory_allocated(device)
    whole = free_bytes(device) + torch.cuda.memory_allocated(device)
    fits = min(chips - 1, int(0.8 * chips * whole / max(peak, whole)))  # it wanted more than the peak, unknown how much
    words = f"{chips_need(chips)} more than the {size(peak)} that were taken, {size(whole)} are there for this process"
    return too_little(device, chips, fits, words, "about ")


def too_little(device: Device | int, chips: int, fits: int, words: str, about: str = "") -> GpuMemoryError:
    """Return the error that says how much memory is wanted, on which GPU, and how many chips would fit."""
    where = f"{words} on {gpu_name(device)} ({torch.device(device)})"
    if fits >= 1:
        return GpuMemoryError(f"{where}; {about}{fits} chip{'s' * (fits > 1)} would fit: give chips={fits}")
    less = "a smaller batch_size or network" if chips == 1 else "one chip (chips=1) with a smaller batch_size"
    return GpuMemoryError(f"{where}; not one chip would fit: give {less}, a GPU with more memory, or --device cpu")


def chips_need(chips: int) -> str:
    """Return "1 chip needs" or "64 chips need"."""
    return "1 chip needs" if chips == 1 else f"{chips} chips need"


def size(count: float) -> str:
    """Return a number of bytes in GiB, or in MiB where that is clearer."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 / 2 else f"{count / 2**20:.0f} MiB"


def about_gpu(device: Device) -> dict[str, str]:
    """Return what a record of a run says of its GPU: name, capability, memory, and versions of driver, CUDA, Triton."""
    place = torch.device(device)
    major, minor = capability(place)
    found = {
        "name": gpu_name(place), "capability": f"{major}.{minor}",
        "memory": size(torch.cuda.mem_get_info(place)[1]), "cuda": str(torch.version.cuda),
    }  # fmt: skip
    if driver := driver_version():
        found["driver"] = driver
    try:
        found["triton"] = version("triton")
    except PackageNotFoundError:  # another distribution of it, whose name we do not know
        found["triton"] = "unknown"
    return found


def driver_version() -> str:
    """Return the version of the NVIDIA driver as Linux tells it, "" where it does not."""
    try:
        match = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", DRIVER_FILE.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return match[0] if match else ""
