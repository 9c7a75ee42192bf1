"""The properties of the periphery: noise, converters and ranges of the products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mho.ablation.property import Change, Property
from mho.config import AnalogConfig
from mho.periphery.settings import Periphery

FAR = 1e6
"""Times a range that nothing reaches, where no converter divides it."""
FINE, WIDE_BITS = 12, 20
"""A converter of up to FINE bits keeps its step while its range is widened to that of WIDE_BITS bits."""

SIDES = ("forward", "backward")
Test = Callable[[Periphery], bool]
Turn = Callable[[Periphery], Periphery]


def periphery_properties(analog: AnalogConfig, apart: bool) -> Iterator[Property]:
    """Yield the properties that are on, of both products together or of each (`apart`); an ideal product has none."""
    for name, on, off, told in KINDS:
        sides = [s for s in SIDES if not getattr(analog, s).ideal and on(getattr(analog, s))]
        for group in [[s] for s in sides] if apart else [sides] if sides else []:
            about = _about({side: told.format(p=getattr(analog, side)) for side in group})
            yield Property(f"{name}, {group[0]}" if apart else name, about, _turn(tuple(group), off))


def _about(texts: dict[str, str]) -> str:
    """Return what is turned off, with the sides where they differ."""
    same = len(set(texts.values())) == 1 and len(texts) == len(SIDES)
    return next(iter(texts.values())) if same else ", ".join(f"{side} {text}" for side, text in texts.items())


def _turn(sides: tuple[str, ...], off: Turn) -> Change:
    def change(analog: AnalogConfig) -> AnalogConfig:
        return replace(analog, **dict[str, Any]({side: off(getattr(analog, side)) for side in sides}))

    return change


def _silent(name: str) -> Turn:
    return lambda p: replace(p, **dict[str, Any]({name: 0.0}))


def _unbounded(p: Periphery) -> Periphery:
    bits, bound = _wider(p.adc_bits, p.output_bound)
    return replace(p, adc_bits=bits, output_bound=bound)


def _unlimited(p: Periphery) -> Periphery:
    bits, reach = _wider(p.dac_bits, p.input_range)
    return replace(p, dac_bits=bits, input_range=reach)


def _wider(bits: object, reach: object) -> tuple[int | None, float]:
    """Return bits and range of a converter with the same step that nothing saturates; of an exact one, its range."""
    assert isinstance(reach, float)
    if not isinstance(bits, int) or bits > FINE:
        return None, reach * FAR
    return WIDE_BITS, reach * (2**WIDE_BITS - 2) / (2**bits - 2)


def _clips(p: Periphery) -> bool:
    """Whether inputs may leave the range: those divided by their own maximum do not leave +-1."""
    assert isinstance(p.input_range, float)
    return p.input_range < 1.0 or (p.noise_management != "max-abs" and p.input_range < FAR)


def _bounded(p: Periphery) -> bool:
    return isinstance(p.output_bound, float) and p.output_bound < FAR


# Converters stand before the ranges that they divide: what is exact has no step to keep.
KINDS: tuple[tuple[str, Test, Turn, str], ...] = (
    ("output noise", lambda p: p.output_noise != 0, _silent("output_noise"), "{p.output_noise:g}"),
    ("weight noise", lambda p: p.weight_noise != 0, _silent("weight_noise"), "{p.weight_noise:g}"),
    ("input noise", lambda p: p.input_noise != 0, _silent("input_noise"), "{p.input_noise:g}"),
    ("DAC", lambda p: p.dac_bits is not None, lambda p: replace(p, dac_bits=None), "{p.dac_bits} bits"),
    ("ADC", lambda p: p.adc_bits is not None, lambda p: replace(p, adc_bits=None), "{p.adc_bits} bits"),
    ("input range", _clips, _unlimited, "±{p.input_range:g}"),
    (
        "output bound", _bounded, _unbounded,
        "±{p.output_bound:g} (bound management: {p.bound_management})",
    ),
)  # fmt: skip
