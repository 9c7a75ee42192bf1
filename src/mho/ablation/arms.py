"""The arms of an ablation, and how they become chips of as few runs as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mho.ablation.packed import packed
from mho.ablation.property import Found
from mho.config import AnalogConfig, RunConfig
from mho.errors import ConfigError

Kind = Literal["configured", "off", "alone", "none"]
CONFIGURED, NONE = "as configured", "all off"
PULSED = ("stochastic", "deterministic")


@dataclass(frozen=True)
class Arm:
    """One configuration that is compared: all properties, all but one, one alone, or none.

    `against`: the name of the arm that it is compared with, "" for the two ends.
    """

    name: str
    kind: Kind
    config: AnalogConfig
    against: str = ""


@dataclass(frozen=True)
class Batch:
    """Arms whose chips share one run; `chips` holds the numbers of the chips of each arm."""

    arms: tuple[Arm, ...]
    chips: tuple[tuple[int, ...], ...]

    def config(self, base: RunConfig) -> RunConfig:
        """Return the run of all chips."""
        ids = [chip for own in self.chips for chip in own]
        configs = [arm.config for arm, own in zip(self.arms, self.chips, strict=True) for _ in own]
        return replace(base, chips=tuple(ids), analog=packed(configs))


def arms(analog: AnalogConfig, found: Found) -> list[Arm]:
    """Return the arms of all properties: the two ends, every property that is asked for off and on alone.

    Pulsed arms stand before those without granularity: neighbours with the same kind of update share a kernel call.
    """
    everything = [p.name for p in found.properties if p.alone]

    def alone(*names: str) -> AnalogConfig:
        return found.without(analog, [name for name in everything if name not in names])

    made = [Arm(CONFIGURED, "configured", analog), Arm(NONE, "none", alone())]
    for p in found.wanted():
        made.append(Arm(f"{p.name} off", "off", found.without(analog, [p.name]), CONFIGURED))
        if p.alone:
            against = f"{p.needs} alone" if p.needs else NONE
            made.append(Arm(f"{p.name} alone", "alone", alone(p.name, p.needs), against))
    present = {arm.name for arm in made}
    needed = dict.fromkeys(p.needs for p in found.wanted() if p.needs and f"{p.needs} alone" not in present)
    made += [Arm(f"{name} alone", "none", alone(name)) for name in needed]
    return sorted(made, key=lambda arm: arm.config.update.trains not in PULSED)


def batches(made: Sequence[Arm], seeds: int) -> list[Batch]:
    """Return the arms in as few runs as can hold them: settings that no list over chips can have need runs apart."""
    groups: list[list[int]] = []
    for k, arm in enumerate(made):
        for group in groups:
            if _fits([made[i].config for i in group], arm.config):
                group.append(k)
                break
        else:
            groups.append([k])
    numbers = [tuple(range(k * seeds, (k + 1) * seeds)) for k in range(len(made))]
    return [Batch(tuple(made[k] for k in group), tuple(numbers[k] for k in group)) for group in groups]


def _fits(held: list[AnalogConfig], one: AnalogConfig) -> bool:
    try:
        packed([*held, one])
    except ConfigError:
        return False
    return True
