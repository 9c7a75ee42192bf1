"""Optimizers: pulses for analog layers, plain SGD or any torch optimizer for the digital parameters beside them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mho.devices.base import over_chips
from mho.errors import ConfigError
from mho.nn.exchange import exchange_
from mho.nn.fuses import Fuses, Gated
from mho.nn.layer import AnalogLayer
from mho.nn.parameter import AnalogParameter

LOOK = 256
"""Steps on a GPU after which numbers are looked at: a look waits for the device, and would cost as much as a step."""


class AnalogOptimizer(Optimizer):
    """Drives analog layers by pulses and the digital parameters by any torch optimizer, as one optimizer.

    `AnalogOptimizer(torch.optim.Adam, model.parameters(), lr=0.01, betas=...)`. The learning rate of a group is that of
    the weights, W -= lr sum of d x^T. `step()` checks x and d of all layers before any device moves, so one bad layer
    leaves every layer as it was. On a GPU it does so, too, but without a look at the numbers: NotFiniteError is raised
    by `check()`, which `step()` calls every 256 steps, and from the bad step until then nothing moves. Learning-rate
    schedulers work on `param_groups` as usual. Raises ConfigError for no parameters, or a rate that is negative, not
    finite, or a list over chips beside digital parameters.
    """

    def __init__(self, digital: Callable[..., Optimizer], params: Iterable[Any], *, lr: Any, **options: Any) -> None:
        groups = list(params)
        if not groups:
            raise ConfigError("the optimizer was given no parameters; pass model.parameters()")
        check_rate(lr)
        super().__init__(groups, {"lr": lr, **options})
        self._gathered = False
        self.fuses = Fuses()
        self.digital = self._make_digital(digital, options)

    def _make_digital(self, digital: Callable[..., Optimizer], options: dict[str, Any]) -> Optimizer | None:
        groups = []
        for group in self.param_groups:
            plain = [p for p in group["params"] if not isinstance(p, AnalogParameter)]
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": plain})
        if not any(g["params"] for g in groups):
            return None
        if any(isinstance(g["lr"], (list, tuple)) for g in groups):
            raise ConfigError(
                f"lr is a list over chips, but {getattr(digital, '__name__', digital)} takes one rate for all digital "
                "parameters; give one number, or use mho.optim.AnalogSGD"
            )
        return digital(groups, lr=self.defaults["lr"], **options)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every device and digital parameter once; raise NotFiniteError, naming a layer, before anything moved.

        On a GPU, the error comes with the next look at the numbers.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.gather()
        analog = [(p.layer, g["lr"]) for g in self.param_groups for p in g["params"] if isinstance(p, AnalogParameter)]
        self.fuses.link_([layer for layer, _ in analog])
        checked = [(layer, layer.check(lr), lr) for layer, lr in analog if layer.pending]
        self.fuses.share_()
        for layer, prepared, lr in checked:
            layer.apply_(prepared, lr)
        self._step_digital()
        self._gathered = False
        self.stepped()
        return loss

    def stepped(self) -> None:
        """Count a step towards the next look at the numbers of a GPU, and look where it is due; raise as `check`."""
        if not self.fuses.groups or (torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()):
            return
        self.fuses.steps += 1
        if self.fuses.steps >= LOOK:
            self.check()

    def check(self) -> None:
        """Look whether all numbers of the last steps on a GPU were finite; on the CPU every step does.

        Raises NotFiniteError that names the layers where one was not; nothing has moved since.
        """
        self.fuses.check()

    def gather(self) -> None:
        """Exchange x, d and digital gradients with the other processes that train a model of `mho.distribute`.

        Part of `step()`, and done once for each; in one process there is nothing to do. Raises RankError.
        """
        if self._gathered:
            return
        self._gathered = True
        params = [p for group in self.param_groups for p in group["params"]]
        layers = [p.layer for p in params if isinstance(p, AnalogParameter)]
        ranks = next((layer.ranks for layer in layers if layer.ranks is not None), None)
        if ranks is not None:
            kept = [layer for layer in layers if layer.pending]
            exchange_(ranks, kept, [p for p in params if not isinstance(p, AnalogParameter) and p.requires_grad])
        elif layers:
            _warn_apart(layers)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of digital parameters, and the x and d that analog layers keep."""
        super().zero_grad(set_to_none)
        self._gathered = False
        for group in self.param_groups:
            for p in group["params"]:
                if isinstance(p, AnalogParameter):
                    p.grad = None

    def _step_digital(self) -> None:
        if self.digital is None:
            return
        for group, inner in zip(self.param_groups, self.digital.param_groups, strict=True):
            inner.update({k: v for k, v in group.items() if k != "params"})
        if self.fuses.groups:
            Gated(self.digital, self.fuses).step()
        else:
            self.digital.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the digital optimizer and the groups' settings."""
        outer = super().state_dict()
        outer["digital"] = self.digital.state_dict() if self.digital is not None else None
        return outer

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        inner = state_dict.get("digital")
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "digital"})
        if self.digital is not None and inner is not None:
            self.digital.load_state_dict(inner)


class AnalogSGD(AnalogOptimizer):
    """Stochastic gradient descent: pulses on analog layers, p -= lr grad on digital parameters.

    `lr` is a number, or a list of one per chip. For momentum or weight decay of the digital parameters use
    `AnalogOptimizer(torch.optim.SGD, ...)`. Raises ConfigError for a rate that is negative or not finite.
    """

    def __init__(self, params: Iterable[Any], lr: Any = 0.01) -> None:
        super().__init__(torch.optim.SGD, params, lr=lr)

    def _make_digital(self, digital: Callable[..., Optimizer], options: dict[str, Any]) -> Optimizer | None:
        return None

    def _step_digital(self) -> None:
        gates: dict[torch.device, Tensor | None] = {}
        for group in self.param_groups:
            for p in group["params"]:
                if isinstance(p, AnalogParameter) or p.grad is None:
                    continue
                grad = p.grad
                if self.fuses.groups:
                    if p.device not in gates:
                        gates[p.device] = self.fuses.intact(p.device)
                    if (gate := gates[p.device]) is not None:
                        grad = torch.where(gate, grad, torch.zeros_like(grad))
                descend_(p, grad, group["lr"])


@lru_cache(maxsize=64)
def rates_on(lr: tuple[float, ...], chips: int, device: torch.device) -> Tensor:
    """Return learning rates of chips on a device, (chips,); raise ConfigError for a list of another length."""
    return torch.from_numpy(over_chips(lr, chips, "lr").reshape(-1).copy()).to(device)


def descend_(p: Tensor, grad: Tensor, lr: Any) -> None:
    """Subtract lr grad in place; a rate per chip follows the parameter's chip axis, or its one chip.

    Raises ConfigError for a rate per chip when the parameter has no chips.
    """
    if not isinstance(lr, (list, tuple)):
        p.add_(grad, alpha=-lr)
        return
    if getattr(p, "chip_axis", False):
        rates = rates_on(tuple(map(float, lr)), p.shape[0], p.device)
        p.sub_(rates.view(-1, *(1,) * (p.dim() - 1)) * grad)
    elif (chip := getattr(p, "chip_index", None)) is not None:
        p.add_(grad, alpha=-lr[chip])
    elif len(lr) == 1:
        p.add_(grad, alpha=-lr[0])
    else:
        raise ConfigError(
            f"lr is a list over {len(lr)} chips, but a digital parameter of shape {tuple(p.shape)} has no chips; "
            "convert the model with mho.convert_to_analog(..., chips=n), which gives every chip its own copy"
        )


def _warn_apart(layers: list[AnalogLayer]) -> None:
    """Warn once where processes would move the same chips by different samples."""
    from torch import distributed as dist

    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        warnings.warn(
            f"{dist.get_world_size()} processes are one group of torch.distributed, but each moves chips of its own, "
            f"beginning with layer {layers[0].name!r}; call model = mho.distribute(model) to train one model together",
            stacklevel=4,
        )


def check_rate(lr: Any) -> None:
    """Raise ConfigError unless a learning rate is finite and not negative."""
    rates = lr if isinstance(lr, (list, tuple)) else [lr]
    if not rates or any(not 0 <= float(v) < float("inf") for v in rates):
        raise ConfigError(f"lr must be finite and not negative, or a list of such numbers over chips, found {lr!r}")
