"""A model that all ranks train together, in a loop of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from mho.distributed.agreement import agree, check
from mho.distributed.joining import join
from mho.errors import ConfigError, ConversionError
from mho.nn.batchnorm import NormBatchNorm
from mho.nn.bayesian import Spreads
from mho.nn.digital import ChipDropout
from mho.nn.gradients import scaled_gradient
from mho.nn.layer import AnalogLayer, analog_layers
from mho.nn.ranks import Ranks
from mho.nn.synced import apart, synced
from mho.version import __version__


def distribute(model: nn.Module, *, loss: Literal["mean", "sum"] = "mean", ddp: bool = False) -> nn.Module:
    """Let all processes of torchrun train this model together, each on its part of every batch; return the model.

    Every rank calls it with the same model, after `convert_to_analog` and before the first step; then its optimizer (of
    `mho.optim`) moves the devices by the samples of all ranks in their order, so that all hold the same chips. In one
    process nothing is changed. loss: how the loss of a rank becomes that of the whole batch: "mean": the ranks' losses
    are averaged, as for a mean over samples; "sum": added. ddp: the model will be wrapped in torch's
    `DistributedDataParallel`, which then sums the gradients of digital parameters during `backward()`; without it the
    optimizer's step sums them. Batch normalisations are replaced by `SyncedBatchNorm`.

    Raises RankError where the ranks' models differ, ConversionError naming layers that need the whole batch.
    """
    if loss not in ("mean", "sum"):
        raise ConfigError(f'loss is "mean" or "sum", how the ranks\' losses go together, found {loss!r}')
    if not isinstance(model, nn.Module) or not analog_layers(model):
        raise ConversionError(
            f"distribute takes a model with analog layers, found {type(model).__name__}; convert it first with "
            "mho.convert_to_analog (a plain torch model needs torch's DistributedDataParallel alone)"
        )
    ranks = join(averaged=ddp)
    if ranks is None:
        return model
    if analog_layers(model)[0].ranks is not None:
        raise ConfigError("this model is distributed already; call mho.distribute once, before the first step")
    _refuse(model)
    agree(ranks, "the model", described(model), "build it from the same settings, seed and names on every rank")
    check(model, ranks)
    model = gather_in(model, ranks)
    _hide_from_ddp(model)
    if loss == "mean":
        model.register_forward_hook(_Averaged(ranks.size))
    for p in model.parameters() if ddp else ():
        if p.requires_grad and p.numel():
            p.register_hook(_Times(ranks.size))
    return model


def gather_in(model: nn.Module, ranks: Ranks | None) -> nn.Module:
    """Tell every layer that the batch is shared by ranks (None: no longer), and return the model."""
    for module in model.modules():
        if isinstance(module, (AnalogLayer, ChipDropout, NormBatchNorm)):
            module.ranks = ranks
        if isinstance(module, AnalogLayer):
            for grid in module.grid_list:
                for product in (*grid.forward_products, *grid.backward_products):
                    product.joined = None if ranks is None else ranks.joined
    return apart(model) if ranks is None else synced(model, ranks)


def described(model: nn.Module) -> dict[str, Any]:
    """Return by name what must be the same on all ranks."""
    said: dict[str, Any] = {"mho": __version__, "torch": torch.__version__, "the threads": torch.get_num_threads()}
    for layer in analog_layers(model):
        about = (layer.out_size, layer.in_size, layer.groups)
        for name, value in (
            ("sizes", about), ("seed", layer.seed), ("chips", layer.chips), ("settings", layer.config),
        ):  # fmt: skip
            said[f"the {name} of layer {layer.name!r}"] = repr(value)
    said["the digital parameters"] = [(n, tuple(p.shape)) for n, p in model.named_parameters() if p.numel()]
    return said


def _refuse(model: nn.Module) -> None:
    """Refuse layers that need the whole batch and do not know of ranks."""
    for name, module in model.named_modules():
        keeps = isinstance(module, nn.modules.instancenorm._InstanceNorm) and module.track_running_stats
        if isinstance(module, (Spreads, nn.SyncBatchNorm)) or keeps:
            raise ConversionError(
                f"layer {name!r} ({type(module).__name__}) needs the whole batch, of which every rank has a part, and "
                "mho cannot put it together for this layer; use another layer, or train in one process"
            )


def _hide_from_ddp(model: nn.Module) -> None:
    """Keep DistributedDataParallel from sending conductances around: every rank has them."""
    hidden = []
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer):
            start = f"{name}." if name else ""
            hidden += [f"{start}{key}" for key, _ in module.named_buffers()] + [f"{start}pulses"]
    setter: Callable[..., None] = nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
    setter(model, hidden)


class _Averaged:
    """A forward hook through which every gradient is 1/size as large: that of the mean over ranks."""

    def __init__(self, size: int) -> None:
        self.factor = 1.0 / size

    def __call__(self, module: nn.Module, inputs: Any, outputs: Any) -> Any:
        return tree.tree_map_only(Tensor, self._one, outputs)

    def _one(self, values: Tensor) -> Tensor:
        return scaled_gradient(values, self.factor) if values.requires_grad else values


class _Times:
    """A gradient hook: DistributedDataParallel divides by the number of ranks, and the sum is meant."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, grad: Tensor) -> Tensor:
        return grad * self.size
