"""Check a device: everything that mho expects of its own devices, tried on yours, and told in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mho.characterize import agreement, properties
from mho.characterize.properties import LeftOut, Problems
from mho.devices.base import Device

GROUPS: tuple[tuple[Callable[[Device], Problems], ...], ...] = (
    (properties.is_lawful,),
    (properties.has_arguments, properties.returns_states),
    (properties.has_granularity, properties.divides_by_nothing, properties.stays_finite),
    (
        properties.stays_in_bounds,
        properties.moves_as_told,
        properties.only_rises,
        properties.balances,
        agreement.cpu_equals_reference,
        agreement.torch_equals_numpy,
        agreement.compiles_for_gpus,
        properties.survives_toml,
    ),
)
"""The properties, in an order in which the later groups need the earlier ones to hold."""


@dataclass(frozen=True)
class Result:
    """One property: what it says, what is wrong, and why it was left out, if it was."""

    says: str
    problems: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True)
class Check:
    """What `check_device` found; printing it tells everything in words."""

    device: str
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; what was left out does not count."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(p for r in self.results for p in r.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [f"{self.device}: " + (f"{count} problem{'s' * (count > 1)}" if count else "all is well")]
        for result in self.results:
            mark = "WRONG" if result.problems else "--" if result.left_out else "ok"
            lines.append(f"  {mark:5}  {result.says}")
            lines += [f"         {text}" for text in (*result.problems, result.left_out) if text]
        return "\n".join(lines)

    __repr__ = __str__


def check_device(device: Device | type[Device]) -> Check:
    """Check a device, or a class with its defaults, against every property that mho's own devices have.

    The law is lawful and gets its arguments; states stay finite and in bounds; pulses up raise and pulses down lower,
    or leave a unipolar device as it is; the claimed symmetry point balances; all backends agree; the parameters survive
    a file. Nothing is raised for a faulty device: the returned `Check` says in words, with examples, what is wrong. The
    first check of a law compiles its kernels, which takes seconds.
    """
    given: Any = device
    if isinstance(given, type):
        given, result = _made(given)
        if given is None:
            return Check(getattr(device, "__name__", repr(device)), (result,))
    if not isinstance(given, Device):
        what = (
            f"expected a device: a class that derives from mho.devices.Device, or an instance of it; found {device!r}"
        )
        return Check(type(given).__name__, (Result("It is a device.", (what,)),))
    results: list[Result] = []
    failed = False
    for group in GROUPS:
        results += [_needs_others(check) if failed else _looked_at(check, given) for check in group]
        failed = failed or any(r.problems for r in results)
    return Check(type(given).__name__, tuple(results))


def _made(kind: type[Any]) -> tuple[Device | None, Result]:
    says = "The class makes a device with its defaults."
    try:
        return kind(), Result(says)
    except Exception as error:  # a user's class may raise anything
        hint = f"; give an instance: check_device({kind.__name__}(...))" if isinstance(error, TypeError) else ""
        return None, Result(says, (f"{type(error).__name__}: {error}{hint}",))


def _looked_at(check: Callable[[Device], Problems], device: Device) -> Result:
    """Return what one property finds; whatever a faulty device raises is a finding."""
    try:
        return Result(_says(check), tuple(check(device)))
    except LeftOut as reason:
        return Result(_says(check), left_out=f"left out: {reason}")
    except Exception as error:  # a user's cells and law may raise anything
        return Result(_says(check), (f"raised {type(error).__name__}: {error}",))


def _needs_others(check: Callable[[Device], Problems]) -> Result:
    return Result(_says(check), left_out="left out: first mend what is wrong above")


def _says(check: Callable[[Device], Problems]) -> str:
    return " ".join((check.__doc__ or "").split())
