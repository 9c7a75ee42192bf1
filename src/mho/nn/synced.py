"""torch's batch normalisation over the samples of all processes that share a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.nn.ranks import Ranks, check_values, summed


class SyncedBatchNorm(_BatchNorm):
    """A batch normalisation whose mean and variance are those of the whole batch, on every rank the same.

    Parameters, running averages and their names are those of the layer that it stands for; gradients flow through the
    statistics of all ranks. It equals that layer on the whole batch up to the order of sums. torch's own
    `SyncBatchNorm` is for GPUs only. Raises ShapeError for one value per channel over all ranks.
    """

    def __init__(self, layer: _BatchNorm, ranks: Ranks) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self.kind, self.ranks = type(layer), ranks
        self._parameters, self._buffers = layer._parameters, layer._buffers
        self.train(layer.training)

    def plain(self) -> _BatchNorm:
        """Return the layer that this one stands for, with the same parameters and running averages."""
        made = self.kind(self.num_features, self.eps, self.momentum, self.affine, self.track_running_stats)
        made._parameters, made._buffers = self._parameters, self._buffers
        made.train(self.training)
        return made

    def to_digital(self, chip: int) -> _BatchNorm:
        """Return the plain layer, for `mho.convert_to_digital`."""
        return self.plain()

    def _check_input_dim(self, input: Tensor) -> None:
        check: Callable[..., None] = self.kind._check_input_dim
        check(self, input)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised batch."""
        if not (self.training or self.running_mean is None):
            return super().forward(x)
        self._check_input_dim(x)
        dims = [0, *range(2, x.dim())]
        own = x.new_tensor([x.numel() // x.shape[1]])
        totals = summed(torch.cat((x.sum(dims), own)), self.ranks)
        count = int(totals[-1])
        check_values(count, self.kind.__name__)
        shape = (1, -1, *[1] * (x.dim() - 2))
        mean = totals[:-1] / count
        apart = x - mean.view(shape)
        variance = summed(apart.square().sum(dims), self.ranks) / count
        self._follow(mean.detach(), variance.detach() * (count / (count - 1)))
        y = apart * torch.rsqrt(variance + self.eps).view(shape)
        return y if not self.affine else y * self.weight.view(shape) + self.bias.view(shape)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running averages."""
        if not self.training or self.running_mean is None or self.running_var is None:
            return
        with torch.no_grad():
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)


def synced(model: nn.Module, ranks: Ranks) -> nn.Module:
    """Return a model whose batch normalisations see the samples of all ranks; its modules are replaced in place."""
    return _replaced(model, lambda m: SyncedBatchNorm(m, ranks) if _is_plain(m) else None)


def apart(model: nn.Module) -> nn.Module:
    """Return a model of `synced` as it was."""
    return _replaced(model, lambda m: m.plain() if isinstance(m, SyncedBatchNorm) else None)


def _is_plain(module: nn.Module) -> bool:
    return type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def _replaced(model: nn.Module, change: Callable[..., nn.Module | None]) -> nn.Module:
    """Return what a module becomes, or the module itself with its children changed; a shared one changes once."""
    done: dict[int, nn.Module] = {}

    def visit(module: nn.Module) -> nn.Module:
        if id(module) not in done:
            made = change(module)
            done[id(module)] = module if made is None else made
            for key, child in [] if made is not None else list(module._modules.items()):
                if child is not None:
                    module._modules[key] = visit(child)
        return done[id(module)]

    return visit(model)
