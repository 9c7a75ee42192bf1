"""Weights as one batch of a training sees them: noise from seed, layer and step, with the gradients of its formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mho.inference.hardware_aware_settings import Per, WeightNoise
from mho.inference.quantise import straight
from mho.inference.settings import Programming
from mho.kernels.product import normals
from mho.random import check_counter, make_key
from mho.tiles.draw import TileDraw


@dataclass(frozen=True)
class NoiseDraw:
    """Where the noise of one layer and step is drawn: nothing else draws under these keys."""

    seed: int
    name: str
    step: int

    def normal(self, like: Tensor, purpose: str) -> Tensor:
        """Return standard normal draws in the shape of a weight."""
        words = np.array([make_key(self.seed, 0, self.name, f"hardware-aware {purpose}")], np.uint32)
        keys = torch.from_numpy(words.view(np.int32)).to(like.device)
        xi = normals(keys, (1, *like.shape), check_counter("step of hardware-aware training", self.step))[0]
        return xi.to(like)

    def devices(self) -> TileDraw:
        """Return the draws of devices that no other step and no chip has."""
        return TileDraw(self.seed, (0,), f"{self.name} hardware-aware {self.step}", (1, 1, 1))


def reach_of(weight: Tensor, per: Per) -> Tensor:
    """Return max abs(w) of a weight (out, ...), or of each output; 1 where all are 0. No gradient enters it."""
    top = weight.detach().abs()
    top = top.amax() if per == "layer" else top.amax(dim=tuple(range(1, top.dim())), keepdim=True)
    return torch.where(top > 0, top, torch.ones_like(top))


def noisy(weight: Tensor, noise: WeightNoise, draw: NoiseDraw) -> Tensor:
    """Return a weight (out, ...) with its noise.

    Gradients are those of the formulas in `WeightNoise` with xi and max abs(w) held; "programming" passes them straight
    through.
    """
    if noise.model == "programming":
        assert isinstance(noise.programming, Programming)
        weight = straight(weight, programmed(weight.detach(), noise.programming, draw))
    elif noise.model != "none":
        n = draw.normal(weight, "noise").mul_(noise.sigma)
        if noise.model == "additive":
            weight = weight + n * reach_of(weight, noise.per)
        else:
            weight = weight * (n.add_(1.0) if noise.model == "multiplicative" else n.exp_())
    if noise.drop:
        from scipy.special import ndtri

        weight = weight * (draw.normal(weight, "drop") < float(ndtri(1 - noise.drop)))
    return weight


@torch.no_grad()
def programmed(weight: Tensor, settings: Programming, draw: NoiseDraw) -> Tensor:
    """Return a weight as its devices show it after one open-loop write, faults included."""
    layout, source = settings.conductances, draw.devices()
    reach = reach_of(weight, "output" if layout.reach == "output" else "layer")
    wanted = layout.to_siemens(layout.quantised((weight / reach).flatten(1).unsqueeze(0)))
    found = settings.error.written(wanted, layout, source)
    if settings.faults.present:
        stuck = settings.faults.drawn(tuple(found.shape), source, found.device)
        found = torch.where(stuck < 0, layout.g_min, torch.where(stuck > 0, layout.g_max, found))
    return layout.to_weights(found)[0].view(weight.shape).to(weight) * reach
