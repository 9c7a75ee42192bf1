"""What stands in for a look at every number on a GPU: fuses of layers, and digital parameters that stay with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mho.errors import NotFiniteError
from mho.kernels.cells import Fuse
from mho.nn.layer import AnalogLayer

Group = tuple[Tensor, list[AnalogLayer]]


class Fuses:
    """The fuses of all layers that an optimizer moves on GPUs: one place for each, in one tensor on each GPU.

    A kernel that moves devices looks at all places of its GPU first. `steps`: those since the places were looked at.
    """

    def __init__(self) -> None:
        self.groups: dict[torch.device, Group] = {}
        self.layers: list[tuple[AnalogLayer, torch.device]] = []
        self.steps = 0

    def link_(self, layers: Sequence[AnalogLayer]) -> None:
        """Give every layer on a GPU its place; layers that have theirs keep it."""
        now = [(layer, layer.device) for layer in layers if layer.on_gpu]
        if now == self.layers and all(self._linked(layer, device) for layer, device in now):
            return
        self.check()
        for layer, _ in self.layers:
            for tile in layer.tile_list:
                tile.fuse = None
        self.layers, self.groups = now, {}
        for device in dict.fromkeys(device for _, device in now):
            own = [layer for layer, place in now if place == device]
            places = 1 << len(own).bit_length()  # one more at least: what other GPUs found
            self.groups[device] = (torch.zeros(places, dtype=torch.int32, device=device), own)
            for place, layer in enumerate(own):
                for tile in layer.tile_list:
                    tile.fuse = Fuse(self.groups[device][0], place)

    def _linked(self, layer: AnalogLayer, device: torch.device) -> bool:
        return all(tile.fuse is not None and tile.fuse.flags is self.groups[device][0] for tile in layer.tile_list)

    def share_(self) -> None:
        """Tell every GPU of what the others found, once all layers are checked."""
        if len(self.groups) > 1:
            found = [flags.amax() for flags, _ in self.groups.values()]
            for flags, _ in self.groups.values():
                for one in found:
                    flags[-1] |= one.to(flags.device)

    def intact(self, device: torch.device) -> Tensor | None:
        """Return whether no place of a GPU is blown, a bool there of no dimensions; None where there are no places."""
        group = self.groups.get(device)
        if group is not None:
            return (group[0] == 0).all()
        return next(((flags == 0).all().to(device) for flags, _ in self.groups.values() if device.type == "cuda"), None)

    def check(self) -> None:
        """Look at all places and mend them; raise NotFiniteError, naming the layers, where one is blown."""
        steps, self.steps = self.steps, 0
        bad: list[str] = []
        for flags, layers in self.groups.values():
            blown = flags.tolist()
            if any(blown):
                flags.zero_()
            bad += [layer.name for layer, mark in zip(layers, blown, strict=False) if mark]
        if bad:
            names = ", ".join(map(repr, bad))
            raise NotFiniteError(
                f"layer {names}, update: input x or error d held NaN or infinity in the last {steps} step(s), the most "
                "that a GPU does before numbers are looked at. From that step on nothing was moved, neither devices "
                "nor digital parameters; look at the loss and the learning rate, or the data"
            )


class Gated:
    """One step of a digital optimizer that is undone on the device where a fuse is blown.

    Fused optimizers of torch skip the step by themselves; of others parameters and states are kept and put back.
    """

    def __init__(self, optimizer: Optimizer, fuses: Fuses) -> None:
        self.optimizer, self.fuses = optimizer, fuses

    def step(self) -> None:
        """Do the step, or leave everything as it was; counters that an optimizer keeps on the host go on."""
        own = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        gates = {device: self.fuses.intact(device) for device in dict.fromkeys(p.device for p in own)}
        if all(gate is None for gate in gates.values()):
            self.optimizer.step()
        elif getattr(self.optimizer, "_step_supports_amp_scaling", False):
            self._skip(next(gate for gate in gates.values() if gate is not None))
        else:
            self._put_back(own, gates)

    def _skip(self, gate: Tensor) -> None:
        """Step by the protocol of torch.amp.GradScaler."""
        optimizer: Any = self.optimizer
        optimizer.grad_scale, optimizer.found_inf = None, (~gate).float()
        try:
            optimizer.step()
        finally:
            del optimizer.grad_scale, optimizer.found_inf

    def _put_back(self, own: list[Tensor], gates: dict[torch.device, Tensor | None]) -> None:
        kept = [(t, t.clone()) for p in own for t in (p, *self._states(p))]
        for p in own:
            gate = gates[p.device]
            if gate is not None and not self.optimizer.state.get(p) and p.grad is not None:  # no state to put back yet
                p.grad.copy_(torch.where(gate, p.grad, torch.zeros_like(p.grad)))
        self.optimizer.step()
        for now, before in kept:
            gate = gates[now.device]
            if gate is not None:
                now.copy_(torch.where(gate, now, before))

    def _states(self, p: Tensor) -> list[Tensor]:
        """Return what the optimizer keeps of a parameter on its device."""
        held = self.optimizer.state.get(p) or {}
        return [t for t in held.values() if isinstance(t, Tensor) and t.device == p.device]
