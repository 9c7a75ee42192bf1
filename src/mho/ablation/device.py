"""The properties of a device: found from what its fields are and do, so that a user's own law has them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from mho.ablation.balance import balanced, imbalance
from mho.ablation.bounds import WIDE, bound_fields, mean_bounds, widened
from mho.ablation.noise import quiet, zero
from mho.ablation.property import Property, of_device
from mho.devices import Device, Spread
from mho.devices.base import Faults, Leak
from mho.devices.spread import numbers

FOREVER = 1e30
"""Updates: so slow a leak changes nothing in single precision."""

Entry = Property | tuple[str, str]
"""A property, or (name, why it cannot be turned off by itself)."""


def device_properties(device: Device, ideal: bool) -> Iterator[Entry]:
    """Yield the properties that are on in a device; of those that need pulses none with an ideal update."""
    bounds = list(_bounds(device))
    yield from bounds
    if not ideal:
        yield from _asymmetry(device)
    yield from _spreads(device, ideal, "bounds" if any(isinstance(b, Property) for b in bounds) else "")
    if not ideal:
        yield from _noise(device)
    yield from _aging(device)


def _bounds(device: Device) -> Iterator[Entry]:
    found = mean_bounds(device)
    if found is None or min(abs(v) for v in found) >= WIDE / 2:
        return
    low, high = found
    if widened(device) is None:
        yield "bounds", f"no field of {type(device).__name__} widens its range of {low:.3g} to {high:.3g} alone"
        return
    about = f"range {low:.3g} to {high:.3g}, times {WIDE:g}; steps that depend on the range get flat"
    yield Property("bounds", about, of_device(lambda d: widened(d) or d))


def _asymmetry(device: Device) -> Iterator[Entry]:
    up, down = imbalance(device)
    if abs(up - down) <= 1e-3 * (up + down):
        return
    sizes = f"mean steps at w = 0 of {up:.3g} up and {down:.3g} down"
    if balanced(device) is None:
        yield "asymmetry", f"{sizes}, and no field of {type(device).__name__} balances them alone"
    else:
        yield Property("asymmetry", f"{sizes}, made equal", of_device(lambda d: balanced(d) or d))


def _spreads(device: Device, ideal: bool, bounds: str) -> Iterator[Entry]:
    """Yield the spreads between devices; those of bounds need `bounds`, where these can be turned off."""
    edges = bound_fields(device)
    for f in fields(device):
        held = getattr(device, f.name)
        if isinstance(held, Spread) and held.varies and (f.name in edges or not ideal):
            needs = bounds if f.name in edges else ""
            yield Property(f"d2d of {f.name}", _deviation(held), of_device(_alike(f.name)), needs=needs)
    on = {f.name for f in fields(device) if isinstance(s := getattr(device, f.name), Spread) and s.varies}
    active = [c for c in device.correlations if c[2] and {c[0], c[1]} <= on]
    if active and not ideal:
        pairs = ", ".join(f"{a} with {b} {value:+.2g}" for a, b, value in active)
        yield Property("correlations", pairs, of_device(lambda d: replace(d, correlations=())), alone=False)


def _alike(name: str) -> Callable[[Device], Device]:
    return lambda d: replace(d, **dict[str, Any]({name: replace(getattr(d, name), d2d=0.0, std=0.0)}))


def _deviation(held: Spread) -> str:
    parts = [f"{100 * v:.3g} %" for v in numbers(held.d2d) if v] + [f"± {v:.3g}" for v in numbers(held.std) if v]
    shape = ", log-normal" if held.log_normal else ""
    return f"{' and '.join(parts)} between devices{shape}"


def _noise(device: Device) -> Iterator[Entry]:
    if device.noisy().any():
        found = quiet(device)
        if found is None:
            why = f"pulses of {type(device).__name__} are noisy, and no field of noise, std or c2c turns that off"
            yield "c2c noise", why
        else:
            about = ", ".join(f"{name} = {value}" for name, value in found)
            yield Property("c2c noise", about, of_device(lambda d: replace(d, **_zeros(d, found))))
    if any(numbers(device.write_noise)):
        about = f"{device.write_noise:.3g} mean steps"
        yield Property("write noise", about, of_device(lambda d: replace(d, write_noise=0.0)))


def _zeros(device: Device, found: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {name: zero(getattr(device, name)) for name, _ in found}


def _aging(device: Device) -> Iterator[Entry]:
    """Yield what happens to devices beside pulses: leak, diffusion, faults."""
    leak = device.leak
    if leak is not None and numbers(leak.lifetime.mean)[0] < FOREVER:
        about = f"lifetime {numbers(leak.lifetime.mean)[0]:.3g} updates"
        yield Property("leak", about, of_device(_kept))
        for name in ("lifetime", "reset"):
            if getattr(leak, name).varies:
                about = _deviation(getattr(leak, name))
                yield Property(f"d2d of leak.{name}", about, of_device(_alike_leak(name)), needs="leak")
    if any(numbers(device.diffusion)):
        about = f"{device.diffusion:.3g} per update"
        yield Property("diffusion", about, of_device(lambda d: replace(d, diffusion=0.0)))
    faults = device.faults
    if faults is not None and (any(numbers(faults.dead)) or any(numbers(faults.stuck))):
        about = f"{faults.dead:.3g} of the devices dead, {faults.stuck:.3g} stuck"
        yield Property("faults", about, of_device(_whole))


def _kept(device: Device) -> Device:
    leak = device.leak or Leak()
    return replace(device, leak=replace(leak, lifetime=replace(leak.lifetime, mean=FOREVER, d2d=0.0, std=0.0)))


def _alike_leak(name: str) -> Callable[[Device], Device]:
    def change(device: Device) -> Device:
        leak = device.leak or Leak()
        return replace(device, leak=replace(leak, **{name: replace(getattr(leak, name), d2d=0.0, std=0.0)}))

    return change


def _whole(device: Device) -> Device:
    return replace(device, faults=replace(device.faults or Faults(), dead=0.0, stuck=0.0))
