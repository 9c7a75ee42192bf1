"""Where a run is computed, as its settings say it: names of devices of torch, and precisions of products there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, get_args

from mho.config.fields import wrong
from mho.errors import nearest

Precision = Literal["float32", "tf32", "bf16"]

NAMES = ("auto", "cpu", "cuda")
PLACE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")
MEANT = {"gpu": "cuda", "nvidia": "cuda", "cuda:": "cuda"}


def is_place(name: str) -> bool:
    """Return whether a text says where to compute: "auto", "cpu", "cuda", or a GPU by its number, "cuda:1"."""
    return PLACE.fullmatch(name) is not None


def no_memory_device(name: str) -> str:
    """Return what is said where the name of a place to compute is given for a memory device."""
    return (
        f"{name!r} is a place to compute, not a memory device, which this setting is; give compute_device={name!r}, "
        f"or --device {name} to mho train"
    )


def on_gpu(name: str) -> bool:
    """Return whether a place to compute is a GPU; "auto" is none yet."""
    return name.startswith("cuda")


def wrong_places(place: str, backend: str, precision: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with where a run is to be computed, by setting."""
    if not is_place(place):
        near = f"did you mean {MEANT[place]!r}?" if place in MEANT else nearest(place, NAMES)
        yield (
            "compute_device",
            f'where the run is computed is "auto", "cpu", "cuda" or a GPU by its number as "cuda:1", found {place!r}; '
            f"{near} (The memory device of a weight is another setting, device: --set device=NAME)",
        )
    elif precision not in get_args(Precision):  # where no loader of settings has looked at it
        yield "precision", wrong(Precision, precision)
    elif on_gpu(place) and backend in ("cpu", "reference"):
        yield (
            "backend",
            f'"{backend}" moves devices on the CPU, but compute_device is "{place}"; leave backend at "auto", or give '
            'compute_device="cpu"',
        )
    elif place == "cpu" and precision != "float32" and backend != "gpu":
        yield (
            "precision",
            f'"{precision}" is for products on a GPU, but compute_device is "cpu", whose products are float32; give '
            'precision="float32", or compute_device="cuda"',
        )
