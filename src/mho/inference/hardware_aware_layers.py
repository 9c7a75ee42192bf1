"""What stands in a layer during hardware-aware training: weights as the hardware shows them, and converters."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mho.errors import MhoError, NotFiniteError
from mho.inference.hardware_aware_settings import HardwareAware, Range, WeightClip
from mho.inference.quantise import converted, on_levels
from mho.inference.weight_noise import NoiseDraw, noisy, reach_of
from mho.nn.gradients import scaled_gradient

SMALLEST = 1e-6
"""A learned range never becomes smaller."""


def clipped(weight: Tensor, clip: WeightClip) -> Tensor:
    """Return a weight (out, ...) clipped as its settings say."""
    if clip.kind == "none":
        return weight
    if clip.kind == "fixed":
        return weight.clamp(-clip.bound, clip.bound)
    flat = weight.detach().flatten(0 if clip.per == "layer" else 1)
    top = clip.bound * flat.std(dim=-1, correction=0, keepdim=True)
    top = top.view(-1, *[1] * (weight.dim() - 1)) if clip.per == "output" else top
    return torch.minimum(torch.maximum(weight, -top), top)


class AwareWeight(nn.Module):
    """A parametrization of a layer's weight: clipped, on levels, with noise that `begin` draws anew.

    The weight that the optimizer moves is clipped itself, when a training forward first sees it after a step.
    step: training forwards so far, which the noise is drawn by; it is part of the state_dict.
    """

    def __init__(self, settings: HardwareAware, weight: Tensor, *, name: str, seed: int) -> None:
        super().__init__()
        self.settings, self.name, self.seed, self.step = settings, name, seed, 0
        self.noise_in_eval = settings.noise_in_eval
        self.owned = (weight,)  # in a tuple it is no parameter of this module too
        self.clipped_at = -1

    def begin(self, _layer: nn.Module, _inputs: Any) -> None:
        """Draw the noise of the next forward anew: a forward pre-hook of the layer."""
        if self._noisy():
            self.step += 1

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight that the product sees; the same one until `begin`."""
        settings = self.settings
        weight = self.held(weight)
        if settings.weight_bits is not None:
            weight = on_levels(weight, reach_of(weight, settings.weight_range), 2**settings.weight_bits)
        if self._noisy():
            weight = noisy(weight, settings.noise, NoiseDraw(self.seed, self.name, self.step))
        return weight

    def held(self, weight: Tensor) -> Tensor:
        """Return the weight within its bounds, in training put there itself."""
        clip = self.settings.clip
        if clip.kind == "none" or self._is_clipped(weight):
            return weight
        if not self.training:
            return clipped(weight, clip)
        weight.data.copy_(clipped(weight.data, clip))  # no change that autograd knows of: several forwards may come
        self.owned, self.clipped_at = (weight,), weight._version
        return weight

    def _is_clipped(self, weight: Tensor) -> bool:
        """Return whether nothing has changed since it was clipped: bounds of deviations would tighten each time."""
        return weight is self.owned[0] and weight._version == self.clipped_at

    def _noisy(self) -> bool:
        return self.settings.noise.present and (self.training or self.noise_in_eval)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "clipped_at": self._is_clipped(self.owned[0])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._mark(bool(self.clipped_at))

    def get_extra_state(self) -> Tensor:
        """Return the step, and whether the weight is clipped, for the state_dict."""
        return torch.tensor([self.step, int(self._is_clipped(self.owned[0]))])

    def set_extra_state(self, state: Tensor) -> None:
        """Take them from a state_dict, whose weight is there already."""
        self.step = int(state[0])
        self._mark(bool(state[1]))

    def _mark(self, is_clipped: bool) -> None:
        self.clipped_at = self.owned[0]._version if is_clipped else -1


class Converter(nn.Module):
    """A converter before or behind a layer: clips to its range and rounds to the steps of its bits.

    side: "inputs" or "outputs". kind: a number, "batch", "calibrated" or "learned". reach: the range, 0 before
    calibration. known: whether it was seen to be another: it is looked at no more then.
    """

    reach: Tensor

    def __init__(self, kind: Range, bits: int | None, *, side: str, layer: str) -> None:
        super().__init__()
        self.kind, self.bits, self.side, self.where = kind, bits, side, f"the {side} of layer {layer!r}"
        self.found: list[Tensor] | None = None
        self.quantile, self.known = 1.0, isinstance(kind, float)
        start = torch.tensor(kind if isinstance(kind, float) else 0.0)
        if kind == "learned":
            self.reach = nn.Parameter(start)
        else:
            self.register_buffer("reach", start)

    @property
    def begins(self) -> bool:
        """Whether the range is set by calibration."""
        return self.kind in ("calibrated", "learned")

    def forward(self, x: Tensor) -> Tensor:
        """Return x converted; while calibrating x itself, which is looked at."""
        if self.found is not None:
            seen = x.detach().abs().flatten()
            self.found.append(seen.amax().view(1) if self.quantile == 1 else seen)
            return x
        if self.kind == "batch":
            return converted(x, x.detach().abs().amax().clamp_min(SMALLEST), self.bits)
        reach = self.reach
        if self.kind != "learned":
            return converted(x, self._known(reach), self.bits)
        steps = 1 if self.bits is None else 2 ** (self.bits - 1) - 1
        factor = (x[0].numel() * steps) ** -0.5  # as Esser et al. keep the range's steps in proportion to the weights'
        return converted(x, scaled_gradient(self._known(reach), factor).clamp_min(SMALLEST), self.bits)

    def set_(self, reach: Tensor) -> None:
        """Set the range by calibration."""
        with torch.no_grad():
            self.reach.copy_(reach)
        self.known = True

    def _load_from_state_dict(self, *given: Any) -> None:
        super()._load_from_state_dict(*given)
        self.known = isinstance(self.kind, float)

    def _known(self, reach: Tensor) -> Tensor:
        if not self.known and not bool(reach):
            raise MhoError(
                f"{self.where} have a range that is {self.kind}, and it was not calibrated, so nothing is known of it; "
                "call calibrate(batches) with some training images first"
            )
        self.known = True
        return reach

    def look(self, quantile: float) -> None:
        """Begin to look at what comes."""
        self.found, self.quantile = [], quantile

    def stop(self) -> list[Tensor]:
        """Stop looking, and return what came, for `range_of`."""
        seen, self.found = self.found, None
        return seen or []

    def range_of(self, seen: list[Tensor]) -> Tensor:
        """Return the quantile of abs(x) of what came; raise NotFiniteError for NaN or infinity."""
        values = torch.cat(seen)
        if not bool(values.isfinite().all()):
            raise NotFiniteError(f"{self.where} hold NaN or infinity while a range is calibrated; look at the images")
        rank = max(1, math.ceil(self.quantile * values.numel()))
        return values.kthvalue(rank).values.clamp_min(SMALLEST)


class AwareSignals(nn.Module):
    """The converters of a layer, called by its hooks."""

    def __init__(self, settings: HardwareAware, *, name: str) -> None:
        super().__init__()
        self.inputs = _converter(settings.input_range, settings.input_bits, "inputs", name)
        self.outputs = _converter(settings.output_range, settings.output_bits, "outputs", name)

    def before(self, _layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Convert a layer's input: a forward pre-hook."""
        return None if self.inputs is None else (self.inputs(inputs[0]), *inputs[1:])

    def behind(self, _layer: nn.Module, _inputs: Any, out: Tensor) -> Tensor | None:
        """Convert a layer's output: a forward hook."""
        return None if self.outputs is None else self.outputs(out)


def _converter(kind: Range | None, bits: int | None, side: str, layer: str) -> Converter | None:
    return None if kind is None else Converter(kind, bits, side=side, layer=layer)
