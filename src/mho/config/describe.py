"""What a device is, in words: from the docstring of its law, and from what it states beside the law."""

from __future__ import annotations

import inspect

from mho.config.show import show
from mho.devices import Device
from mho.devices.spread import PerChip, numbers


def first_line(kind: type[Device]) -> str:
    """Return the first sentence or line of a law's docstring; an inherited one does not count."""
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    return "" if text.startswith(f"{kind.__name__}(") else text.partition("\n")[0]


def reference(kind: type[Device]) -> str:
    """Return what the docstring of a law gives as its reference, or "mho" for one without."""
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    _, found, rest = text.partition("Reference: ")
    return " ".join(rest.partition("\n\n")[0].replace("`", "").split()).rstrip(".") if found else "mho"


def beside_the_law(device: Device) -> list[str]:
    """Return a sentence for each thing that a device states and its law does not hold: leak, noise, faults, ..."""
    found = []
    if device.state:
        names = ", ".join(f"{name} (at first {value:g})" for name, value in device.state.items())
        found.append(f"Extra state of every device: {names}.")
    if any(numbers(device.write_noise)):
        found.append(
            f"Write noise: what is read differs from the state by {_given(device.write_noise)} times the mean step "
            "(standard deviation), drawn anew with every pulse."
        )
    if device.leak is not None:
        found.append(
            f"Leak: between updates every device decays towards {show(device.leak.reset)} with a lifetime of "
            f"{show(device.leak.lifetime)} updates."
        )
    if any(numbers(device.diffusion)):
        found.append(
            f"Diffusion: every update kicks every device by {_given(device.diffusion)} weight units (standard "
            "deviation)."
        )
    if device.faults is not None:
        f = device.faults
        found.append(
            f"Faults: {_given(f.dead)} of the devices never leave 0, {_given(f.stuck)} are stuck in ±{f.range:g}."
        )
    if device.correlations:
        pairs = ", ".join(f"{one} with {other} {value:+.2g}" for one, other, value in device.correlations)
        found.append(f"Correlated draws: {pairs}.")
    if device.shifted:
        found.append("Its range is stated around the symmetry point already: shifting it to zero once more is refused.")
    return found


def _given(value: PerChip) -> str:
    """Return a number, or the numbers over chips."""
    return ", ".join(f"{v:g}" for v in numbers(value))
