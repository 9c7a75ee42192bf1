r"""Batch normalisation by other norms than the standard deviation: ordinary torch modules, also in analog models.

$$y = \gamma \frac{x - \mu}{d + \epsilon} + \beta, \qquad \mu = \frac1n \sum_i x_i$$

per channel over the n values of a batch, with a deviation d that estimates the standard deviation of normal values:

$$d_{L1} = \sqrt{\pi/2}\;\frac1n \sum_i |x_i - \mu|, \qquad
  d_{TopK} = \frac{1 + \sqrt{\pi \ln 4}}{2\sqrt{2 \ln n}}\;\frac1k \sum_{i \in \mathrm{top}\,k} |x_i - \mu|$$

Sources: Hoffer, Banner, Golan & Soudry, "Norm matters", NeurIPS 2018 (both, with these constants; that of TopK is the
mean of a lower and an upper bound of the largest of n normal values: with k = 10 and n = 100, 1000, 10,000 d is 1.04,
1.20, 1.27 standard deviations, which the gain absorbs); Wu et al., arXiv 1802.09769 (L1); Fagbohungbe & Qian, arXiv
2205.04886 (their resistance to weight noise at inference).
"""

from __future__ import annotations

from math import log, pi, sqrt

import torch
from torch import Tensor, nn

from mho.errors import ConfigError, ShapeError
from mho.nn.ranks import Ranks, joined


class NormBatchNorm(nn.Module):
    """What these layers share: channels in dimension 1, running averages in evaluation, a gain and a bias.

    features: channels. eps: added to the deviation. momentum: share of a new batch in `running_mean` and
    `running_deviation`. Inputs have one of the numbers of dimensions in `dims`. Raises ShapeError for others, and for
    a training batch with one value per channel, whose deviation is 0.
    ranks: the processes that share every batch; the deviation is that of all their samples.
    """

    ranks: Ranks | None = None

    dims: tuple[int, ...] = ()
    running_mean: Tensor
    running_deviation: Tensor

    def __init__(self, features: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        if features < 1 or not 0 <= momentum <= 1 or not eps >= 0:
            raise ConfigError(
                f"{type(self).__name__} has at least 1 feature, momentum from 0 to 1 and eps of at least 0, found "
                f"{features}, {momentum} and {eps}"
            )
        self.features, self.eps, self.momentum = features, eps, momentum
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_deviation", torch.ones(features))

    def deviation(self, distance: Tensor) -> Tensor:
        """Return d (channels,) of the distances abs(x - mean), (channels, n)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised batch."""
        if x.dim() not in self.dims or x.shape[1] != self.features:
            raise ShapeError(
                f"{type(self).__name__}({self.features}) takes inputs of {' or '.join(map(str, self.dims))} dimensions "
                f"with {self.features} channels in the second, found shape {tuple(x.shape)}"
            )
        shape = (1, -1, *[1] * (x.dim() - 2))
        mean, deviation = self.running_mean, self.running_deviation
        if self.training:
            flat = x.transpose(0, 1).flatten(1)
            if self.ranks is not None:
                flat = joined(flat, 1, self.ranks)
            if flat.shape[1] < 2:
                raise ShapeError(
                    f"{type(self).__name__}({self.features}) was given a training batch of shape {tuple(x.shape)}: one "
                    "value per channel has no deviation; use larger batches, or eval()"
                )
            mean = flat.mean(1)
            deviation = self.deviation((flat - mean.unsqueeze(1)).abs())
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_deviation.lerp_(deviation, self.momentum)
        gain = self.weight / (deviation + self.eps)
        return x * gain.view(shape) + (self.bias - mean * gain).view(shape)

    def reset_parameters(self) -> None:
        """Set gain, bias and running averages as in a new layer."""
        with torch.no_grad():
            for values, start in ((self.weight, 1.0), (self.bias, 0.0), (self.running_mean, 0.0)):
                values.fill_(start)
            self.running_deviation.fill_(1.0)

    def extra_repr(self) -> str:
        """Return the settings for printing."""
        return f"{self.features}, eps={self.eps}, momentum={self.momentum}"


class _L1(NormBatchNorm):
    """Normalisation by the mean absolute deviation."""

    def deviation(self, distance: Tensor) -> Tensor:
        """Return sqrt(pi/2) times the mean distance."""
        return distance.mean(1) * sqrt(pi / 2)


class _TopK(NormBatchNorm):
    """Normalisation by the mean of the k largest absolute deviations; k: 10 as in the experiments of Hoffer et al."""

    def __init__(self, features: int, k: int = 10, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(features, eps=eps, momentum=momentum)
        if k < 1:
            raise ConfigError(f"{type(self).__name__} averages the k largest deviations, k at least 1, found {k}")
        self.k = k

    def deviation(self, distance: Tensor) -> Tensor:
        """Return the constant of n times the mean of the k largest distances (of all, where there are fewer)."""
        n = distance.shape[1]
        constant = (1 + sqrt(pi * log(4))) / (2 * sqrt(2 * log(n)))
        return distance.topk(min(self.k, n), dim=1).values.mean(1) * constant

    def extra_repr(self) -> str:
        """Return the settings for printing."""
        return f"{self.features}, k={self.k}, eps={self.eps}, momentum={self.momentum}"


class L1BatchNorm1d(_L1):
    """`torch.nn.BatchNorm1d` with the L1 deviation (Wu et al. 2018): inputs (batch, channels [, length])."""

    dims = (2, 3)


class L1BatchNorm2d(_L1):
    """`torch.nn.BatchNorm2d` with the L1 deviation (Wu et al. 2018): inputs (batch, channels, height, width)."""

    dims = (4,)


class TopKBatchNorm1d(_TopK):
    """`torch.nn.BatchNorm1d` with the TopK deviation (Hoffer et al. 2018): inputs (batch, channels [, length])."""

    dims = (2, 3)


class TopKBatchNorm2d(_TopK):
    """`torch.nn.BatchNorm2d` with the TopK deviation (Hoffer et al. 2018): inputs (batch, channels, height, width)."""

    dims = (4,)
