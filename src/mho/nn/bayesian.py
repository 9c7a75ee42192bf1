"""Bayesian layers: weights with a mean and a spread of their own, trained by variational inference."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mho.errors import ConfigError
from mho.nn.drawn import Drawn
from mho.random import make_key


class Spreads(Drawn):
    """The standard deviations of a layer's weights, and the draws of its outputs in training.

    std^2 = softplus(rho)^2 + (floor weight)^2. floor: what the device cannot go below: its relative spread. Draws are
    keyed by (seed, name, call); calls are counted and saved, so a resumed training repeats.
    """

    def __init__(self, shape: torch.Size, initial: float, floor: float, *, seed: int, name: str) -> None:
        super().__init__([make_key(seed, 0, name, "bayesian")], "call of a Bayesian layer")
        if not (0 < initial < math.inf and 0 <= floor < math.inf):
            raise ConfigError(
                f"weights of layer {name!r} were to begin with the standard deviation {initial:g} and the floor "
                f"{floor:g}, but a spread is above 0 and a floor not below it; give std > 0 and floor >= 0"
            )
        self.floor = floor
        self.rho = nn.Parameter(torch.full(shape, math.log(math.expm1(initial))))

    def variance(self, mean: Tensor) -> Tensor:
        """Return the variances of weights with these means."""
        free = F.softplus(self.rho).square()
        return free + (self.floor * mean).square() if self.floor else free

    def disturbed(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Return outputs drawn with means and variances, others at every call."""
        xi = self.draw((1, *mean.shape), mean.device)[0]
        return mean + (variance + 1e-12).sqrt() * xi.to(mean)


class BayesianLinear(nn.Linear):
    """A linear layer whose weights are independent Gaussians: W ~ N(weight, std^2), `std` from `spreads`.

    In training every sample of a batch has weights of its own, drawn through its outputs (local reparametrisation):
    y ~ N(x weight^T + b, x^2 (std^2)^T). When evaluating it computes with the means; `mho.nn.stored.with_weights` puts
    drawn weights in their place. The bias has no spread. name: by which its draws are keyed. std: to begin with.
    floor: see `Spreads`. Reference: Kingma, Salimans & Welling, NeurIPS 2015.
    """

    def __init__(
        self, in_features: int, out_features: int, *, name: str, seed: int = 0, std: float = 0.02, floor: float = 0.0
    ) -> None:
        super().__init__(in_features, out_features)
        self.spreads = Spreads(self.weight.shape, std, floor, seed=seed, name=name)

    def forward(self, x: Tensor) -> Tensor:
        """Return drawn outputs in training, those of the means otherwise."""
        mean = F.linear(x, self.weight, self.bias)
        if not self.training:
            return mean
        return self.spreads.disturbed(mean, F.linear(x.square(), self.spreads.variance(self.weight)))


class BayesianConv2d(nn.Conv2d):
    """A 2d convolution whose weights are independent Gaussians; see `BayesianLinear`. stride, padding: as in torch."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, name: str, seed: int = 0, std: float = 0.02,
        floor: float = 0.0, stride: int = 1, padding: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, padding=padding)
        self.spreads = Spreads(self.weight.shape, std, floor, seed=seed, name=name)

    def forward(self, x: Tensor) -> Tensor:
        """Return drawn outputs in training, those of the means otherwise."""
        mean = self._conv_forward(x, self.weight, self.bias)
        if not self.training:
            return mean
        return self.spreads.disturbed(mean, self._conv_forward(x.square(), self.spreads.variance(self.weight), None))


Layer = BayesianLinear | BayesianConv2d


def bayesian_layers(model: nn.Module) -> dict[str, Layer]:
    """Return the Bayesian layers of a model by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, (BayesianLinear, BayesianConv2d))}


def posterior(layer: Layer) -> tuple[Tensor, Tensor]:
    """Return means and standard deviations of a layer's weights, of the weight's shape."""
    with torch.no_grad():
        return layer.weight.clone(), layer.spreads.variance(layer.weight).sqrt()


def divergence(model: nn.Module, prior: float) -> Tensor:
    """Return the divergence KL(N(weight, std^2) || N(0, prior^2)) of a model, in nats, summed over all weights.

    ln(prior/std) + (std^2 + weight^2) / (2 prior^2) - 1/2 for each. Raises ConfigError for a model without Bayesian
    layers, and unless prior > 0.
    """
    layers = bayesian_layers(model)
    if not layers or not prior > 0:
        raise ConfigError(
            f"a divergence from a prior of standard deviation {prior:g} was asked for over {len(layers)} Bayesian "
            "layers; give a model with BayesianLinear or BayesianConv2d layers and a prior above 0"
        )
    total = next(iter(layers.values())).weight.new_zeros(())
    for layer in layers.values():
        variance = layer.spreads.variance(layer.weight)
        ratio = (variance + layer.weight.square()) / prior**2
        total = total + 0.5 * (ratio - 1.0 - torch.log(variance / prior**2)).sum()
    return total


def variational_loss(
    model: nn.Module, samples: int, *, prior: float, weight: float = 1.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of variational inference: mean cross entropy + weight divergence(model, prior) / samples.

    samples: of the training set. weight: 1 is Bayes' rule (the negative evidence lower bound for each sample), less
    makes a colder posterior.
    """

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(out, y) + weight / samples * divergence(model, prior)

    return loss
