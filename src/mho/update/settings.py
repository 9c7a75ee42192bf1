"""How samples change conductances: pulse trains, their management, and the ideal update for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mho.errors import ConfigError

Trains = Literal["stochastic", "deterministic", "ideal"]


@dataclass(frozen=True)
class Update:
    """The update of a tile by the outer product of error and input, W -= lr sum of d x^T.

    trains: "stochastic" pulse trains whose coincidences are pulses; "deterministic", evenly placed pulses; "ideal",
        the exact real-valued change without pulses or law, clipped to the device's bounds where it has any.
    bl: train length BL (1 to 64), or its upper limit where `bl_management` sets
        BL = min(bl, ceil(lr x_max d_max / dw)) per vector.
    update_management: shares the probability equally: p_x = K sqrt(d_max/x_max) abs(x), p_d = K sqrt(x_max/d_max)
        abs(d), K = sqrt(lr / (dw BL)); without it p = K abs(.). dw is the granularity of the weight.
    Raises ConfigError for other values. Source: Gokmen & Vlasov 2016 (trains), Gokmen, Onen & Haensch 2017
    (management).
    """

    trains: Trains = "stochastic"
    bl: int = 31
    bl_management: bool = True
    update_management: bool = True

    def __post_init__(self) -> None:
        if self.trains not in Trains.__args__:  # type: ignore[attr-defined]
            raise ConfigError(f"trains is one of stochastic, deterministic, ideal, found {self.trains!r}")
        if not (isinstance(self.bl, int) and 1 <= self.bl <= 64):
            raise ConfigError(f"bl is the number of slots of a pulse train, from 1 to 64, found {self.bl}")
