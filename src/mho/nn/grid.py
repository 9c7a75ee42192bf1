"""The tiles of one weight matrix: split over arrays, partial sums added digitally, scaled to weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mho.config import AnalogConfig
from mho.devices.base import over_chips
from mho.errors import ConfigError
from mho.kernels.product import Draws, Vectors
from mho.mapping.split import even_parts
from mho.periphery.product import Product, bind, multiply
from mho.tiles.place import Place
from mho.tiles.tile import Tile
from mho.update.learner import Learner
from mho.update.moving import Rate
from mho.update.rule import Making


class Span(NamedTuple):
    """Where a block stands in the matrix: its number, rows, input columns, column part, and whether it has the bias."""

    block: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    part: int
    bias: bool


class Grid(nn.Module):
    """The arrays that hold a matrix (rows = outputs, columns = inputs, and a bias column when it is in the array).

    weight = scale x learned x conductance. The digital scale per chip, column part and output belongs to the mapping:
    the update divides it out, so that the weight moves by lr d x^T. The learned factor (one per tile, or per output) is
    a parameter beside the conductances: both move by their own gradients. Either may be absent.
    """

    scale: Tensor | None
    learned: nn.Parameter | None

    def __init__(
        self, shape: tuple[int, int], bias: bool, config: AnalogConfig, *, name: str, seed: int, chips: tuple[int, ...]
    ) -> None:
        super().__init__()
        rows, columns = shape
        self.rows, self.columns, self.bias, self.config, self.name = rows, columns, bias, config, name
        self.chips = chips
        mapping = config.mapping
        self.row_parts = even_parts(rows, mapping.max_rows)
        self.column_parts = even_parts(columns + bias, mapping.max_columns)
        self.spans = self._spans()
        self.block_list = tuple(self._learner(span, seed) for span in self.spans)
        self.blocks = nn.ModuleList(self.block_list)
        self.tile_list: tuple[Tile, ...] = tuple(tile for block in self.block_list for tile in block.tile_list)
        n = len(chips)
        self.forward_products = [bind(config.forward, n) for _ in self.spans]
        self.backward_products = [bind(config.backward, n) for _ in self.spans]
        self._keep_running("forward", self.forward_products)
        self._keep_running("backward", self.backward_products)
        self._make_scales(n)

    def _make_scales(self, n: int) -> None:
        mapping, parts, scale = self.config.mapping, len(self.column_parts), None
        if mapping.scaling != "none":
            value = over_chips(mapping.scale, n, "scale").reshape(n, 1, 1)
            scale = torch.from_numpy(np.broadcast_to(value, (n, parts, self.rows)).copy())
        self.register_buffer("scale", scale)
        factors = self.rows if mapping.scaling == "output" else len(self.row_parts)
        self.learned = nn.Parameter(torch.ones(n, parts, factors)) if mapping.learn_scale else None
        self._link()

    def factor(self) -> Tensor | None:
        """Return what conductances are multiplied by to be weights, (chips, column parts, rows), or None for 1."""
        if self.learned is None:
            return self.scale
        learned: Tensor = self.learned
        if learned.shape[2] != self.rows:
            each = zip(learned.split(1, dim=2), self.row_parts, strict=True)
            learned = torch.cat([one.expand(-1, -1, r1 - r0) for one, (r0, r1) in each], dim=2)
        return learned if self.scale is None else self.scale * learned

    def _keep_running(self, side: str, products: list[Product]) -> None:
        for i, product in enumerate(products):
            if product.settings.noise_management == "running-max":
                self.register_buffer(f"{side}_running_{i}", product.running)

    def _learner(self, span: Span, seed: int) -> Learner:
        """Return what holds and moves the weights of a block."""
        mapping = self.config.mapping
        (r0, r1), (c0, c1) = span.rows, span.columns
        name = f"{self.name}[{span.block // len(self.column_parts)},{span.part}]"
        place = Place(name, (r1 - r0, c1 - c0 + span.bias), seed, self.chips, mapping.count_pulses)
        making = Making(self.config.device, place, self.config.cell, self.config.update, span.bias)
        try:
            return self.config.rule.learner(making)
        except ConfigError as error:
            raise ConfigError(f"layer {self.name!r}: {error}") from error

    def _spans(self) -> tuple[Span, ...]:
        last = len(self.column_parts) - 1
        return tuple(
            Span(i * (last + 1) + j, rows, (c0, c1 - (self.bias and j == last)), j, self.bias and j == last)
            for i, rows in enumerate(self.row_parts)
            for j, (c0, c1) in enumerate(self.column_parts)
        )

    def forward(self, x: Vectors, *, first: int = 0, calls: list[int]) -> Tensor:
        """Return the products (parts, chips, vectors, rows) of x (chips, vectors, columns).

        There is one part, or with a digital scale one for every column part. Raises NotFiniteError for NaN or infinity.
        """
        role = "forward" if self.training else "evaluate"
        parts = 1 if self.scale is None and self.learned is None else len(self.column_parts)
        out = torch.empty(parts, x.shape[0], x.shape[1], self.rows, device=self.tile_list[0].home)
        for k, (r0, r1), (c0, c1), j, biased in self.spans:
            block = self.block_list[k]
            tile = block.tile_list[0]
            draws = Draws(tile.role_keys[role], calls[k], 0, first, tile.tick_of(role))
            multiply(
                self.forward_products[k], block.weights, x[:, :, c0:c1], draws, out[j if parts > 1 else 0][:, :, r0:r1],
                bias=biased, adding=j > 0 and parts == 1, learning=self.training,
            )  # fmt: skip
        return out

    def back(self, d: Tensor, *, first: int = 0, calls: list[int]) -> Tensor:
        """Return the errors at the inputs (chips, vectors, columns) for d (parts, chips, vectors, rows).

        Raises NotFiniteError for NaN or infinity.
        """
        out = torch.empty(d.shape[1], d.shape[2], self.columns, device=d.device)
        role = "forward" if self.training else "evaluate"
        for k, (r0, r1), (c0, c1), j, biased in self.spans:
            block = self.block_list[k]
            tile = block.tile_list[0]
            draws = Draws(tile.role_keys["backward"], calls[k], 0, first, tile.tick_of(role))
            weights = block.weights[:, :, :-1] if biased else block.weights
            if c1 == c0:
                continue
            multiply(
                self.backward_products[k], weights.transpose(1, 2), d[j if d.shape[0] > 1 else 0][:, :, r0:r1], draws,
                out[:, :, c0:c1], adding=r0 > 0, learning=self.training,
            )  # fmt: skip
        return out

    def next_calls(self) -> list[int]:
        """Return and count the numbers of the coming products of all blocks; a backward product has its forward's."""
        role = "forward" if self.training else "evaluate"
        return [block.tile_list[0].next_call(role) for block in self.block_list]

    def prepare(self, x: Tensor, d: Tensor, lr: object, first: int = 0, positions: int = 1) -> list[Any]:
        """Return what `apply_` needs for the update by x (chips, vectors, columns) and d (parts, chips, vectors, rows).

        `first`: the number of the first vector within the step; `positions`: vectors of a sample. Raises NotFiniteError
        for NaN or infinity.
        """
        rate: Rate = tuple(map(float, lr)) if isinstance(lr, (list, tuple)) else float(lr)  # type: ignore[arg-type]
        if self.scale is not None:
            # d came back through the scale once; the weight's own error has it not, and dW = scale dg takes one more.
            # The learned factor stays in d: it makes d the gradient of the conductances.
            d = d / (self.scale.detach() ** 2).transpose(0, 1).unsqueeze(2)
        return [
            self.block_list[k].prepare(
                x[:, :, c0:c1], d[j if d.shape[0] > 1 else 0][:, :, r0:r1], rate,
                bias=biased, first=first, positions=positions,
            )
            for k, (r0, r1), (c0, c1), j, biased in self.spans
        ]  # fmt: skip

    def apply_(self, prepared: list[Any]) -> None:
        """Move the devices of every block by what `prepare` returned."""
        for block, step in zip(self.block_list, prepared, strict=True):
            block.apply_(step)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        self._link()
        return self

    def _load_from_state_dict(self, *given: Any) -> None:
        super()._load_from_state_dict(*given)
        self._link()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._link()

    def _link(self) -> None:
        """Set what copying, moving or loading drops: running means that products use, and the note of a chip axis."""
        if self.learned is not None:
            self.learned.chip_axis = True  # type: ignore[attr-defined]  # a note for the optimizer
        for side, products in (("forward", self.forward_products), ("backward", self.backward_products)):
            for i, product in enumerate(products):
                if hasattr(self, f"{side}_running_{i}"):
                    product.running = getattr(self, f"{side}_running_{i}")

    def rest_(self) -> None:
        """End an optimizer step on every block."""
        for block in self.block_list:
            block.rest_()

    def write_(self, weights: Tensor, *, calibrate: bool) -> Tensor:
        """Write weights (chips, rows, columns [+ bias]) ideally; return the clipped share per chip.

        `calibrate`: first set the digital scale from the weights, as `Mapping.scaling` says.
        """
        if calibrate and self.scale is not None and self.config.mapping.scaling in ("tile", "output"):
            self._calibrate(weights)
        clipped, factor = torch.zeros(len(self.chips), device=weights.device), self.factor()
        for k, (r0, r1), (c0, c1), j, biased in self.spans:
            part = weights[:, r0:r1, c0 : c1 + biased]
            if factor is not None:
                part = part / factor.detach()[:, j, r0:r1].unsqueeze(2)
            share = self.block_list[k].write_(part)
            clipped += share * (part.shape[1] * part.shape[2])
        return clipped / (weights.shape[1] * weights.shape[2])

    def _calibrate(self, weights: Tensor) -> None:
        assert self.scale is not None
        with torch.no_grad():
            if self.learned is not None:
                self.learned.fill_(1.0)
            for k, (r0, r1), (c0, c1), j, biased in self.spans:
                part = weights[:, r0:r1, c0 : c1 + biased].abs()
                top = part.amax(dim=2)
                if self.config.mapping.scaling == "tile":
                    top = top.amax(dim=1, keepdim=True).expand(-1, r1 - r0)
                reach = self.block_list[k].reach * self.config.mapping.fill
                scale = top / reach.unsqueeze(1)
                self.scale[:, j, r0:r1] = torch.where(scale > 0, scale, torch.ones_like(scale))

    def read(self) -> Tensor:
        """Return the weights (chips, rows, columns [+ bias]) exactly, without a product's noise."""
        shape, home = (len(self.chips), self.rows, self.columns + self.bias), self.tile_list[0].home
        out, factor = torch.empty(shape, device=home), self.factor()
        for k, (r0, r1), (c0, c1), j, biased in self.spans:
            shown = self.block_list[k].weights
            if factor is not None:
                shown = shown * factor.detach()[:, j, r0:r1].unsqueeze(2)
            out[:, r0:r1, c0 : c1 + biased] = shown
        return out
