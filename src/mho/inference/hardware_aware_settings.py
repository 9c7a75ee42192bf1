"""The settings of hardware-aware training: what of a chip a plain torch model sees while it is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from mho.config.changes import changed
from mho.config.values import MISSING, Reader, convert_fields
from mho.errors import ConfigError, SettingsError
from mho.inference.presets import preset
from mho.inference.settings import Programming

Model = Literal["none", "additive", "multiplicative", "log-normal", "programming"]
Per = Literal["layer", "output"]
Range = float | Literal["batch", "calibrated", "learned"]


@dataclass(frozen=True)
class WeightNoise:
    """How weights differ from one batch to the next in training, with n = sigma xi, xi standard normal.

    "none":           w
    "additive":       w + n max abs(w)
    "multiplicative": w (1 + n)
    "log-normal":     w exp(n)
    "programming":    w as it is after it was programmed on fresh devices, with the levels, the write error (both its
                      d2d and its c2c) and the faults of `programming`, or of the preset with that name

    sigma: standard deviation. per: max abs(w) is that of the layer, or of each output (channel). drop: share of weights
    that are 0 (drop-connect, Wan et al., ICML 2013), after the noise; the others are not scaled. Raises ConfigError.
    """

    model: Model = "none"
    sigma: float = 0.0
    per: Per = "layer"
    drop: float = 0.0
    programming: Programming | str | None = None

    readers: ClassVar[dict[str, Any]]

    def __post_init__(self) -> None:
        convert_fields(self)
        if isinstance(self.programming, str):
            object.__setattr__(self, "programming", preset(self.programming))
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not 0 <= self.sigma < math.inf:
            yield "sigma", f"is a standard deviation, not negative, found {self.sigma}"
        if bool(self.sigma) != (self.model in ("additive", "multiplicative", "log-normal")):
            yield (
                "sigma",
                f'is above 0 with model = "additive", "multiplicative" or "log-normal" and only there, found '
                f"{self.sigma} and {self.model!r}",
            )
        if not 0 <= self.drop < 1:
            yield "drop", f"is a share of the weights, from 0 to below 1, found {self.drop}"
        if (self.programming is not None) != (self.model == "programming"):
            yield "programming", f'goes with model = "programming", found {self.programming} and {self.model!r}'

    @property
    def present(self) -> bool:
        """Whether weights differ from batch to batch."""
        return self.model != "none" or self.drop > 0


def _read_programming(reader: Reader, value: Any, path: str, base: Any) -> Any:
    """Read the name of a preset, or a table of changes of what was there."""
    if not isinstance(value, str) or value == "none":
        return reader.read(Programming | None, value, path, base)
    try:
        return preset(value)
    except ConfigError as error:
        reader.problems.add(path, str(error))
        return MISSING


WeightNoise.readers = {"programming": _read_programming}


@dataclass(frozen=True)
class WeightClip:
    """How large weights may become: they are clipped after every step of the optimizer.

    "fixed": abs(w) <= bound. "deviations": abs(w) <= bound x standard deviation of the weights of the layer, or of each
    output (`per`), as it is before they are clipped (Joshi et al., Nat. Commun. 2020). Raises ConfigError.
    """

    kind: Literal["none", "fixed", "deviations"] = "none"
    bound: float = 0.0
    per: Per = "layer"

    def __post_init__(self) -> None:
        convert_fields(self)
        if (self.kind != "none") != (0 < self.bound < math.inf):
            raise SettingsError(
                [("bound", f'is above 0 with kind = "fixed" or "deviations", found {self.bound} and {self.kind!r}')]
            )


@dataclass(frozen=True)
class HardwareAware:
    """What a model sees of the hardware while it is trained; gradients pass straight through what is rounded.

    noise: of the weights, drawn anew for every training batch. noise_in_eval: also in evaluation mode.
    clip: of the weights. weight_bits: weights are on 2^bits levels over +-max abs(w), of the layer or each output
        (`weight_range`), both ends included.
    input_bits, output_bits: converters with 2^bits - 2 steps over their range, as mho's peripheries have; None: exact.
    input_range, output_range: what converters clip to: a number; "batch": the largest abs(x) of the batch;
        "calibrated": found by `calibrate`; "learned": begins there and is trained with the weights. None: not clipped.
    Raises ConfigError with everything that is wrong.
    """

    noise: WeightNoise = field(default_factory=WeightNoise)
    noise_in_eval: bool = False
    clip: WeightClip = field(default_factory=WeightClip)
    weight_bits: int | None = None
    weight_range: Per = "layer"
    input_bits: int | None = None
    input_range: Range | None = None
    output_bits: int | None = None
    output_range: Range | None = None

    def __post_init__(self) -> None:
        convert_fields(self)
        if wrong := list(self._problems()):
            raise SettingsError(wrong)

    def _problems(self) -> Iterator[tuple[str, str]]:
        for name, least in (("weight_bits", 1), ("input_bits", 2), ("output_bits", 2)):
            bits = getattr(self, name)
            if bits is not None and not least <= bits <= 20:
                yield name, f'is from {least} to 20, or "none" for exact, found {bits}'
        for side in ("input", "output"):
            reach = getattr(self, f"{side}_range")
            if reach is None and getattr(self, f"{side}_bits") is not None:
                yield (
                    f"{side}_range",
                    f'is what the steps of {side}_bits divide: give a number, "batch", "calibrated" or "learned"',
                )
            if isinstance(reach, float) and not 0 < reach < math.inf:
                yield f"{side}_range", f"is above 0, found {reach}"
        if self.weight_bits is not None and self.noise.model == "programming":
            yield "weight_bits", 'go without model = "programming", which has levels of its own (conductances.levels)'

    def with_(self, changes: Mapping[str, Any] | None = None, /, **named: Any) -> HardwareAware:
        """Return a changed copy: names are paths ("noise.sigma", or `noise__sigma` as a keyword) or ends of them.

        Raises ConfigError with all unknown or ambiguous names and impossible values.
        """
        return changed(self, {**(changes or {}), **named})
