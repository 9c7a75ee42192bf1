"""What a device is, in words: from the docstring of its law, and from what it states beside the law."""

from __future__ import annotations

import inspect

from mho.devices import Device, Spread, catalogue
from mho.devices.spread import PerChip, numbers


def docstring(kind: type) -> str:
    """Return the docstring of a law or rule, with its equations; an inherited one, or a dataclass's own, is none."""
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    return "" if text.startswith(f"{kind.__name__}(") else text


def first_line(kind: type) -> str:
    """Return the first line of a docstring."""
    return docstring(kind).partition("\n")[0]


def reference(kind: type) -> str:
    """Return what a docstring gives as its reference or source, or "mho" for one without."""
    _, found, rest = docstring(kind).replace("Source: ", "Reference: ").partition("Reference: ")
    told = " ".join(rest.partition("\n\n")[0].replace("`", "").split())
    return told.partition("; defaults")[0].partition(". F = ")[0].rstrip(".") if found else "mho"


def published_as(device: Device) -> str:
    """Return where the numbers of a device of the catalogue come from, or nothing for another device."""
    row = next((row for row in catalogue.devices() if row.device == device), None)
    if row is None:
        return ""
    read = row.provenance.replace("KIT", "read in the source of IBM aihwkit 1.2").replace(
        "MEM", "recalled, not checked"
    )
    return " ".join(f"Published device {row.name}: {row.source}. Its numbers: {read}. {row.note}".split())


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
            f"Leak: between updates every device decays towards {_spread(device.leak.reset)}, with a lifetime of "
            f"{_spread(device.leak.lifetime)} updates."
        )
    if any(numbers(device.diffusion)):
        found.append(
            f"Diffusion: every update kicks every device by {_given(device.diffusion)} weight units (standard "
            "deviation)."
        )
    if device.faults is not None:
        f = device.faults
        found.append(
            f"Faults: a share of {_given(f.dead)} of the devices never leaves 0, of {_given(f.stuck)} is stuck "
            f"at values {'from 0 to ' if device.unipolar else 'in ±'}{f.range:g}."
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


def _spread(value: Spread) -> str:
    """Return a mean, and how much devices differ."""
    found = [_given(value.mean)]
    found += [f"relative spread {_given(value.d2d)}"] if any(numbers(value.d2d)) else []
    found += [f"spread {_given(value.std)}"] if any(numbers(value.std)) else []
    return found[0] if len(found) == 1 else f"{found[0]} ({', '.join(found[1:])} between devices)"
