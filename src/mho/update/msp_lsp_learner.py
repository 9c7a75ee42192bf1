"""MSP/LSP at work: the two arrays of a block, their transfers, and what is known of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import over_chips
from mho.devices.spread import numbers
from mho.errors import SettingsError
from mho.kernels.product import normals
from mho.tiles.array import Array
from mho.update.apply import Prepared, apply_array_
from mho.update.counters import Counters
from mho.update.fuse import unless_blown
from mho.update.learner import Learner
from mho.update.moving import Rate, gains, prepare_array
from mho.update.msp_lsp import MspLsp
from mho.update.program import movable, read, spread_of, tune_
from mho.update.program_plan import Movers, column
from mho.update.rule import Making


class MspLspLearner(Counters, Learner):
    """The MSP and the LSP of a block of weights, W = F msp + s lsp.

    sign: s, (1, rows or 1, columns or 1). clock: samples (or steps) since a transfer fell due, and transfers so far.
    found: (4, chips) float64, mean and standard deviation of W - F msp after the last transfer, and the sums of all.
    Raises ConfigError where no LSP can bridge a step of the MSP.
    """

    counters = ("clock",)
    gain: Tensor
    sign: Tensor
    found: Tensor
    shown: Tensor

    def __init__(self, rule: MspLsp, making: Making) -> None:
        if wrong := list(rule.problems(making.device, making.cell, making.update)):
            raise SettingsError((f"rule.{name}", text) for name, text in wrong)
        super().__init__(msp=making.array(suffix="msp"), lsp=making.array(rule.lsp, "lsp"))
        self.rule, self.update = rule, making.update
        self.gains = gains(self.lsp, making.update)
        self.movers, self.lsp_movers = Movers(self.msp), Movers(self.lsp)
        chips, rows, columns = self.msp.visible.shape
        self.register_buffer("gain", column(over_chips(rule.gain, chips, "rule.gain")), persistent=False)
        lines = {"half-rows": (1, rows, 1), "half-columns": (1, 1, columns)}.get(rule.select, (1, 1, 1))
        self.register_buffer("sign", torch.ones(lines))
        self.clock = np.zeros(2, np.int64)
        self.register_buffer("found", torch.zeros(4, chips, dtype=torch.float64))
        self.register_buffer("shown", torch.zeros_like(self.msp.visible))
        self._combine()

    @property
    def msp(self) -> Array:
        """The devices of large significance."""
        return self.array_list[0]

    @property
    def lsp(self) -> Array:
        """The devices of small significance."""
        return self.array_list[1]

    @property
    def visible(self) -> Tensor:
        """The weights that a product sees, (chips, rows, columns)."""
        return self.shown

    @property
    def reach(self) -> Tensor:
        """Per chip the largest weight of either sign that the mean cell of the MSP can hold through a transfer."""
        return self.gain.flatten() * self.msp.reach

    def prepare(self, x: Tensor, d: Tensor, lr: Rate, *, bias: bool, first: int, positions: int) -> Any:
        """Return the update of the LSP and the samples in it; raise NotFiniteError for NaN or infinity."""
        samples = x.shape[1] // positions
        if self.sign.shape[2] > 1:
            if bias:
                x, bias = torch.cat((x, x.new_ones(*x.shape[:2], 1)), dim=2), False
            x = x * self.sign[:, 0]
        elif self.rule.polarity_inversion:
            d = d * self.sign[:, :, 0]
        gain = self.gains(lr, d.device)
        return samples, prepare_array(self.lsp, x, d, gain, self.update, bias=bias, first=first)

    def apply_(self, prepared: tuple[int, list[Prepared]]) -> None:
        """Pulse the LSP."""
        samples, steps = prepared
        apply_array_(steps)
        self.lsp.show_()
        if self.rule.unit == "sample":
            self.clock[0] += samples

    def rest_(self) -> None:
        """End an optimizer step: transfer where it is due, and let the devices rest."""
        if self.rule.unit == "batch":
            self.clock[0] += 1
        if self.clock[0] >= self.rule.every:
            self.transfer_()
            self.clock[0] %= self.rule.every
        super().rest_()
        self._combine()

    def transfer_(self) -> None:
        """Write W, as read, into the MSP; reset the LSP; change the sign of what it will hold from now on."""
        noise, gate = self.rule.program.read_noise, self.lsp.tile_list[0].intact()
        small = self.sign * read(self.lsp, noise, self.lsp.tile_list[0].next_call("transfer"))
        weights = self.gain * read(self.msp, noise, self.msp.tile_list[0].next_call("transfer")) + small
        which, lines = self._chosen(small)
        if gate is not None:
            which, lines = gate.expand(small.shape) if which is None else which & gate, lines & gate
        done = tune_(self.msp, weights / self.gain, self.rule.program, which=which, movers=self.movers)
        self._note(weights - self.gain * self.msp.visible, which, gate)
        self._empty_lsp_(which)
        if self.rule.polarity_inversion:
            self.sign.copy_(torch.where(lines, -self.sign, self.sign))
        if self.rule.residual == "lsp":
            self._put_back_(weights - self.gain * done.read, which)
        self.clock[1] += 1
        self._combine()

    def _chosen(self, small: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the weights to write (None: all) and the lines of `sign` that these are."""
        every, device = torch.ones_like(self.sign, dtype=torch.bool), small.device
        if self.rule.select == "all":
            return None, every
        if self.rule.select in ("saturated", "threshold"):
            above = over_chips(self.rule.above, len(small), "rule.above").reshape(-1)
            limit = torch.from_numpy(above.copy()).to(device)
            limit = limit * (self.lsp.reach if self.rule.select == "saturated" else 1.0)
            return small.abs() > limit.view(-1, 1, 1), every
        size = self.sign.numel()
        second = torch.arange(size, device=device) >= (size + 1) // 2
        lines = (second == bool(self.clock[1] % 2)).view(self.sign.shape)
        return lines.expand(small.shape), lines

    def _note(self, residual: Tensor, which: Tensor | None, gate: Tensor | None) -> None:
        """Keep mean and spread of what tuning left, over the weights that were written and can move."""
        free = movable(self.msp)
        counted = which if free is None else free if which is None else which & free
        mean, std, _ = spread_of(residual, counted)
        now = torch.stack((mean, std))
        self.found.copy_(unless_blown(gate, torch.cat((now, self.found[2:] + now)), self.found))

    def _empty_lsp_(self, which: Tensor | None) -> None:
        """Reset the chosen LSP devices: to their references, or in pairs that pulses can only raise to 0."""
        noise = over_chips(self.rule.reset_noise, len(self.lsp.place.chips), "rule.reset_noise")
        sigma = torch.from_numpy(noise.copy()).to(self.sign.device)
        for tile in self.lsp.tile_list:
            mask = torch.ones_like(tile.state, dtype=torch.bool) if which is None else which.unsqueeze(1)
            mask = mask.expand_as(tile.state)
            tile.reset_(mask)
            left = tile.state.new_zeros(()) if tile.reference is None or tile.one_sided else tile.reference
            if any(numbers(self.rule.reset_noise)):
                call = tile.next_call("transfer")
                left = left + sigma * normals(tile.role_keys["transfer"], tuple(tile.state.shape), call)
            elif left.dim() == 0:
                continue
            if (bounds := tile.bounds()) is not None:
                left = torch.minimum(torch.maximum(left, bounds[0]), bounds[1])
            moved = mask if tile.frozen is None else mask & (tile.frozen == 0)
            written = None if tile.apparent is None else (tile.apparent - tile.state).masked_fill(moved, 0.0)
            tile.state.copy_(torch.where(moved, left, tile.state))
            tile.show_(written)
        self.lsp.show_()

    def _put_back_(self, residual: Tensor, which: Tensor | None) -> None:
        """Put what tuning left, as read, into the LSP: by whole pulses, or exactly where updates are."""
        wanted = self.sign * (residual if which is None else residual * which)
        if self.update.ideal:
            before = [(tile, tile.state.clone()) for tile in self.lsp.tile_list]
            self.lsp.write_(self.lsp.visible + wanted, finite=wanted.is_cuda)  # what was read of finite states
            for tile, state in before if which is not None else ():
                assert which is not None
                tile.state.copy_(torch.where(which.unsqueeze(1), tile.state, state))
                tile.show_()
            self.lsp.show_()
            return
        limit = float(self.rule.program.pulses)
        up, down = (column(way, wanted.device) for way in (self.lsp_movers.up, self.lsp_movers.down))
        number = (wanted / torch.where(wanted > 0, up, down)).round_().clamp_(-limit, limit)
        self.lsp_movers.send_(number.to(torch.int32), turn=int(self.clock[1]))

    def write_(self, weights: Tensor) -> Tensor:
        """Write weights ideally: w/F into the MSP and what that leaves into the LSP; return the clipped share.

        What only the LSP could hold counts as clipped, too: the next transfer would lose it.
        """
        lost = self.msp.write_(weights / self.gain)
        clipped = self.lsp.write_(self.sign * (weights - self.gain * self.msp.visible))
        self._combine()
        return torch.maximum(lost, clipped)

    def show_(self) -> None:
        """Recompute what a product sees after arrays were moved by hand."""
        super().show_()
        self._combine()

    def _combine(self) -> None:
        torch.mul(self.lsp.visible, self.sign, out=self.shown)
        self.shown.addcmul_(self.msp.visible, self.gain)

    def tally(self) -> dict[str, Any]:
        """Return what happened to both arrays, and of transfers: number, residual of the last and the mean over all."""
        transfers = int(self.clock[1])
        mean, std = self.found[:2].tolist()
        all_means, all_stds = (self.found[2:] / max(1, transfers)).tolist()
        return {
            **super().tally(), "transfers": transfers, "residual_mean": all_means, "residual_std": all_stds,
            "last_residual_mean": mean, "last_residual_std": std,
        }  # fmt: skip
