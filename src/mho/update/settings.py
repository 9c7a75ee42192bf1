"""How samples change conductances: pulse trains, their management, and the ideal update for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from mho.errors import ConfigError

Trains = Literal["stochastic", "deterministic", "mean", "ideal"]
KINDS = Trains.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Update:
    """The update of a tile by the outer product of error and input, W -= lr sum of d x^T.

    trains: "stochastic" pulse trains whose coincidences are pulses; "deterministic", evenly placed pulses; "mean", no
        granularity: the law's mean step times the real-valued number of pulses n = lr abs(x d) / dw, in parts of at
        most one pulse, and cycle-to-cycle noise with the variance of n pulses; "ideal", the exact real-valued change
        without pulses or law, clipped to the device's bounds where it has any. May be a list of one per chip, of all
        kinds but "ideal".
    bl: train length BL (1 to 64), or its upper limit where `bl_management` sets
        BL = min(bl, ceil(lr x_max d_max / dw)) per vector.
    update_management: shares the probability equally: p_x = K sqrt(d_max/x_max) abs(x), p_d = K sqrt(x_max/d_max)
        abs(d), K = sqrt(lr / (dw BL)); without it p = K abs(.). dw is the granularity of the weight.
    Raises ConfigError for other values. Source: Gokmen & Vlasov 2016 (trains), Gokmen, Onen & Haensch 2017
    (management).
    """

    trains: Trains | tuple[Trains, ...] = "stochastic"
    bl: int = 31
    bl_management: bool = True
    update_management: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.trains, str):
            object.__setattr__(self, "trains", tuple(self.trains))
        kinds = self.trains if isinstance(self.trains, tuple) else (self.trains,)
        if not kinds or any(kind not in KINDS for kind in kinds):
            raise ConfigError(f"trains is one of {', '.join(KINDS)}, or a list of one per chip, found {self.trains!r}")
        if len(set(kinds)) > 1 and "ideal" in kinds:
            raise ConfigError('trains: "ideal" holds for all chips or for none; "mean" has no granularity either')
        if not (isinstance(self.bl, int) and 1 <= self.bl <= 64):
            raise ConfigError(f"bl is the number of slots of a pulse train, from 1 to 64, found {self.bl}")

    @property
    def ideal(self) -> bool:
        """Whether weights change exactly, without pulses or law."""
        return "ideal" in (self.trains if isinstance(self.trains, tuple) else (self.trains,))

    def runs(self, chips: int) -> list[tuple[str, slice]]:
        """Return the kind of update of every run of neighbouring chips that share it."""
        if isinstance(self.trains, str):
            return [(self.trains, slice(0, chips))]
        found, first = [], 0
        for kind, run in groupby(self.trains):
            last = first + len(list(run)) if len(self.trains) > 1 else chips
            found.append((str(kind), slice(first, last)))
            first = last
        return found
