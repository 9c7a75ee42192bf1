"""Writes, time and energy of sparse adaptation beside those of read-verify-write of the same chips, from counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mho.errors import ConfigError
from mho.inference.effort_settings import EffortAssumptions

if TYPE_CHECKING:
    from mho.inference.adapt_report import AdaptReport
    from mho.inference.programming_report import ProgramReport


@dataclass(frozen=True)
class Effort:
    """One kind of work: how much of it a chip does, and what that takes.

    count: (chips,). seconds, joules: (2, chips), with the shortest and with the longest write of a device.
    """

    method: str
    work: str
    count: np.ndarray
    seconds: np.ndarray
    joules: np.ndarray


@dataclass(frozen=True)
class EffortComparison:
    """Sparse adaptation against read-verify-write of the same chips; prints as a table with every assumption.

    rows: the work of "programming" (once, without a reading), "read-verify-write" (all of it, with its first write) and
    "adaptation" (what comes after programming).
    """

    rows: tuple[Effort, ...]
    assumptions: EffortAssumptions

    def seconds(self, *methods: str) -> np.ndarray:
        """Return the seconds of these methods together, (2, chips): with the shortest and the longest write."""
        return np.sum([row.seconds for row in self.rows if row.method in methods], axis=0)

    def joules(self, *methods: str) -> np.ndarray:
        """Return the energy of these methods together, (2, chips): with the shortest and the longest write."""
        return np.sum([row.joules for row in self.rows if row.method in methods], axis=0)

    @property
    def speed_up(self) -> np.ndarray:
        """How much longer the correction by read-verify-write takes than that by adaptation, (2, chips).

        The first write of every device, which both need, is in neither.
        """
        return (self.seconds("read-verify-write") - self.seconds("programming")) / self.seconds("adaptation")

    @property
    def speed_up_in_all(self) -> np.ndarray:
        """Read-verify-write over programming and adaptation together, (2, chips)."""
        return self.seconds("read-verify-write") / self.seconds("programming", "adaptation")

    @property
    def energy_ratio(self) -> np.ndarray:
        """The energy of the correction by read-verify-write over that of adaptation, (2, chips); no first write."""
        return (self.joules("read-verify-write") - self.joules("programming")) / self.joules("adaptation")

    def __str__(self) -> str:
        head = ("method", "work", "count", "s (short write)", "s (long write)", "J (short write)", "J (long write)")
        rows: list[tuple[str, ...]] = [head]
        for row in self.rows:
            numbers = (row.count.mean(), *row.seconds.mean(1), *row.joules.mean(1))
            rows.append((row.method, row.work, f"{numbers[0]:,.0f}", *(f"{v:.3g}" for v in numbers[1:])))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        ratios = (
            ("speed-up of the correction", self.speed_up),
            ("speed-up with the first write of all devices", self.speed_up_in_all),
            ("energy of the correction, ratio", self.energy_ratio),
        )
        lines += [f"{name}: {_spread(r[0])} (short write) to {_spread(r[1])} (long write)" for name, r in ratios]
        return "\n".join([*lines, "per chip; means over the chips. Assumed:", *self.assumptions.lines()])


def compare_effort(
    adapted: AdaptReport, programmed: ProgramReport, verified: ProgramReport, *,
    assumptions: EffortAssumptions | None = None,
) -> EffortComparison:  # fmt: skip
    """Return what correcting the same chips takes by sparse adaptation and by read-verify-write.

    adapted: what `adapt` returned. programmed: of `mho.program` without verify, after which it was called. verified: of
    `mho.program` with verify. assumptions: None for `EffortAssumptions()`.

    Counted: every pulse and reading of the two reports, as one write and one reading of one device; for adaptation the
    vectors through each layer's arrays, forward and (where an error was needed) backward; a multiply-add for each value
    and vector in the sparse product, in its way back (where there is one) and in the gradient; those of the optimizer;
    and a write of every value at every step. Array products, multiply-adds and writes come one after another. Not
    counted: choosing positions by importance, the teacher, control, movement of data and standby.

    Raises ConfigError for reports of other layers or chips.
    """
    _check(adapted, programmed, verified)
    used = assumptions or EffortAssumptions()
    rows = [*_of_writing("programming", programmed, used), *_of_writing("read-verify-write", verified, used)]
    rows += _of_adaptation(adapted, programmed, used)
    return EffortComparison(tuple(rows), used)


def _of_writing(method: str, report: ProgramReport, used: EffortAssumptions) -> Iterator[Effort]:
    pulses, reads = (np.asarray(v, np.float64) for v in (report.pulses, report.reads))
    write = np.array(used.rram_write)[:, None]
    yield Effort(method, "write pulses", pulses, pulses * write / used.rram_parallel, pulses * write * used.write_power)
    if reads.any():
        joules = used.rram_read * used.read_power + used.conversion
        yield Effort(
            method, "readings", reads, _both(reads * used.rram_read / used.rram_parallel), _both(reads * joules)
        )


def _of_adaptation(adapted: AdaptReport, programmed: ProgramReport, used: EffortAssumptions) -> Iterator[Effort]:
    devices = {layer.name: layer.devices for layer in programmed.layers}
    one = np.ones(len(adapted.after))
    vectors = sum(layer.forward + layer.backward for layer in adapted.layers)
    joules = sum(
        (layer.forward + layer.backward)
        * (
            devices[layer.name] * used.read_power * used.product
            + (layer.inputs + layer.outputs) * used.conversion
        )
        for layer in adapted.layers
    )  # fmt: skip
    yield Effort(
        "adaptation", "array products", vectors * one, _both(vectors * used.product * one), _both(joules * one)
    )
    macs, macs_joules = 0, 0.0
    for layer in adapted.layers:
        mine = layer.values * (2 * layer.forward + layer.backward + adapted.steps * used.update_macs)
        macs += mine
        macs_joules += mine * (used.mac_energy + layer.bits * used.sram_bit)
    seconds = macs * used.macs / used.macs_parallel
    yield Effort("adaptation", "multiply-adds", macs * one, _both(seconds * one), _both(macs_joules * one))
    joules = sum(layer.values * layer.bits for layer in adapted.layers) * adapted.steps * used.sram_bit
    seconds = adapted.writes * used.sram_write / used.sram_parallel
    yield Effort("adaptation", "digital writes", adapted.writes * one, _both(seconds * one), _both(joules * one))


def _check(adapted: AdaptReport, programmed: ProgramReport, verified: ProgramReport) -> None:
    ours = {layer.name for layer in adapted.layers}
    theirs = [layer.name for layer in programmed.layers]
    if not ours <= set(theirs) or theirs != [layer.name for layer in verified.layers]:
        raise ConfigError(
            f"effort was asked for of an adaptation of {sorted(ours)}, a programming of {theirs} and a verified one of "
            f"{[layer.name for layer in verified.layers]}, but these are not the same layers; give the reports of one "
            "model"
        )
    chips = [len(report.pulses) for report in (programmed, verified)] + [len(adapted.after)]
    if len(set(chips)) > 1:
        raise ConfigError(
            f"effort was asked for of {chips[2]} adapted, {chips[0]} programmed and {chips[1]} verified chips, which "
            "cannot be compared one by one; give the reports of the same chips"
        )


def _both(values: np.ndarray) -> np.ndarray:
    """Return values that the time of a write does not change, for the shortest and the longest write."""
    return np.stack((values, values))


def _spread(values: np.ndarray) -> str:
    return _figures(values.mean(), 3) + (f" ± {_figures(values.std(ddof=1), 2)}" if len(values) > 1 else "")


def _figures(value: float, digits: int) -> str:
    """Return a number to so many significant figures, thousands in full."""
    return f"{float(f'{value:.{digits}g}'):,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
