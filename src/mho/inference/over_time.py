"""Accuracy of a programmed model over time, on all of its chips."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from torch import nn

from mho.inference.evaluation import Told, evaluate
from mho.inference.programming import age
from mho.inference.times import Time, read_times
from mho.over_chips import deviation


@dataclass(frozen=True)
class Moment:
    """Accuracy some time after programming, in percent, one per chip.

    name: the time as it was asked for; seconds: from the first read after programming.
    """

    name: str
    seconds: float
    accuracy: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over chips."""
        return fmean(self.accuracy)

    @property
    def std(self) -> float:
        """The standard deviation over chips; 0 for a single one."""
        return deviation(self.accuracy)

    @property
    def worst(self) -> float:
        """The accuracy of the worst chip."""
        return min(self.accuracy)

    @property
    def worst_place(self) -> int:
        """The place of the worst chip among those of the model."""
        return self.accuracy.index(self.worst)


def accuracy_over_time(
    model: nn.Module, data: Any, times: str | Iterable[str | Time], *, progress: Told | None = None,
    reached: Callable[[Moment], None] | None = None,
) -> tuple[Moment, ...]:  # fmt: skip
    """Return the accuracy of every chip of a programmed model at one time after another.

    data: as for `evaluate`. times: such as "1s,1h,1d,1y", or a list of them. progress: told after every part of the
    images; reached: told after every time. Raises ConfigError for times that go backwards or have no unit, MhoError
    for a model that is not programmed.
    """
    found = []
    for time in _times(times):
        age(model, time.seconds)
        found.append(Moment(time.text, time.seconds, tuple(evaluate(model, data, progress=progress))))
        if reached is not None:
            reached(found[-1])
    return tuple(found)


def _times(times: str | Iterable[str | Time]) -> tuple[Time, ...]:
    return read_times(times if isinstance(times, str) else [t.text if isinstance(t, Time) else t for t in times])
