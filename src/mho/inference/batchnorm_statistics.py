"""BatchNorm on chips: running averages measured again, on every chip, with its own errors in the weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.errors import ConfigError, NotFiniteError
from mho.inference.adapt_set import check_images
from mho.inference.evaluation import chip_count, device_of
from mho.nn.batchnorm import NormBatchNorm
from mho.nn.chips import spread
from mho.nn.modes import evaluating


@torch.no_grad()
def recalibrate_batchnorm(model: nn.Module, images: Tensor | np.ndarray, *, batch_size: int = 250) -> int:
    """Measure the running averages of all BatchNorm layers again, on every chip, and return how many layers there are.

    Errors of conductances and drift shift the outputs of a chip's arrays from what the averages of the training say.
    With weights w of the batches, mean and variance become $\\sum_b w_b \\mu_b$ and $\\sum_b w_b \\sigma_b^2$ of the
    images; layers behind see what those before now give. Only digital statistics change: no label is needed and no
    device is written. images: (n, ...), of the TRAINING set. batch_size: images that every chip sees at once.

    Raises ConfigError for a model without BatchNorm that keeps averages, or for batches of one image; NotFiniteError
    for NaN or infinity in the images or in what a layer measures. The averages are then what they were.
    Source: Joshi et al., Nat. Commun. 11:2473 (2020), who call it AdaBS.
    """
    images = check_images(images)
    layers = batchnorm_layers(model)
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} has no BatchNorm that keeps running averages, so there is nothing to measure again"
        )
    if batch_size < 2 or len(images) % batch_size == 1:
        raise ConfigError(
            f"{len(images)} images in batches of {batch_size} leave a batch of a single image, which has no variance; "
            "give another batch_size"
        )
    before = [{name: b.clone() for name, b in one.named_buffers(recurse=False)} for one in layers]
    momenta = [one.momentum for one in layers]
    try:
        _measure(model, layers, images.split(batch_size))
    except BaseException:
        for one, kept in zip(layers, before, strict=True):
            for name, value in kept.items():
                getattr(one, name).copy_(value)
        raise
    finally:
        for one, momentum in zip(layers, momenta, strict=True):
            one.momentum = momentum
    return len(layers)


def batchnorm_layers(model: nn.Module) -> list[_BatchNorm | NormBatchNorm]:
    """Return the BatchNorm layers that keep running averages, those of every chip on their own."""
    found = [m for m in model.modules() if isinstance(m, (_BatchNorm, NormBatchNorm))]
    return [one for one in found if one.running_mean is not None]


def _measure(model: nn.Module, layers: list[_BatchNorm | NormBatchNorm], batches: tuple[Tensor, ...]) -> None:
    chips, seen, device = chip_count(model), 0, device_of(model)
    with evaluating(model):
        for one in layers:
            one.training = True
        for x in batches:
            seen += len(x)
            for one in layers:
                one.momentum = len(x) / seen  # the mean over all images; the first batch replaces what was there
            model(spread(x.to(device), chips))
    for one in layers:
        if not all(bool(b.isfinite().all()) for b in one.buffers(recurse=False) if b.is_floating_point()):
            raise NotFiniteError("a BatchNorm layer measured NaN or infinity; look at the weights on the chips")
