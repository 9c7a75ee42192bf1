"""What the cases of a study are made of, in sentences: converters, noise, devices, cells, learning rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mho.config import AnalogConfig, RunConfig
from mho.config.show import show, stated
from mho.periphery.settings import Bits, Periphery, bits_of
from mho.studies.outcome import Outcome
from mho.tiles.cell import Cell
from mho.update.pulsed import Pulsed


def hardware(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the converters, noise, devices, cells and rules of the cases that are not ideal.

    Of cases with series, those of the first values.
    """
    analog = [c for c in (_as_stated(o).analog for o in outcomes) if not (c.forward.ideal and c.update.ideal)]
    noisy = [a for a in analog if not a.forward.ideal]
    found = ["Products are exact; updates are pulses."] if len(noisy) < len(analog) else []
    for side in ("forward", "backward"):
        texts = dict.fromkeys(_converters(getattr(a, side)) for a in noisy)
        found += [f"{side.capitalize()} products of the analog cases: {' or '.join(texts)}."] if texts else []
    scales = dict.fromkeys(a.mapping.scale for a in analog if a.mapping.scaling == "fixed")
    if scales:
        found.append(f"Weights of the analog cases are conductances times {' or '.join(f'{s:.4g}' for s in scales)}.")
    devices = dict.fromkeys(stated(a.device) for a in analog)
    return [*found, *(f"Device of the analog cases: `{device}`." for device in devices), *_cells(analog)]


def _as_stated(outcome: Outcome) -> RunConfig:
    """Return a run with the first value of each of its series on all chips."""
    case, config = outcome.case, outcome.config
    first = {path: axis.held(config)[0] for axis in case.varied(config) for path in axis.paths}
    return config.with_(first) if first else config


def _cells(configs: Sequence[AnalogConfig]) -> list[str]:
    """Return the cells that are not single devices, and of every learning rule but plain pulses the first settings."""
    cells = dict.fromkeys(_one_line(a.cell) for a in configs if a.cell != Cell())
    learnt = {type(a.rule): _one_line(a.rule) for a in reversed(configs) if not isinstance(a.rule, Pulsed)}
    return [
        *(f"Cell: `{cell}`." for cell in cells),
        *(f"Learning rule of the first case with it: `{rule}`." for rule in reversed(learnt.values())),
    ]


def _one_line(value: Any) -> str:
    return " ".join(show(value).split()).replace("( ", "(").replace(", )", ")")


def _converters(side: Periphery) -> str:
    def bits(value: Bits) -> str:
        return " / ".join(dict.fromkeys("exact" if n is None else f"{n} bit" for n in bits_of(value)))

    return (
        f"DAC {bits(side.dac_bits)}, ADC {bits(side.adc_bits)}, output noise {side.output_noise:g}, "
        f"output bound {side.output_bound}"
    )
