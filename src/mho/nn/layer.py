"""What analog layers share: the matrix on its tiles, x and d kept for the update, weights in and out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mho.config import AnalogConfig
from mho.errors import ConfigError, MhoError, NotFiniteError, ShapeError
from mho.nn.grid import Grid
from mho.nn.parameter import AnalogParameter
from mho.nn.ranks import Ranks
from mho.tiles.array import Array
from mho.tiles.tile import Tile
from mho.update.learner import Learner

UNUSED = 3
"""How often in a row x and d may be dropped unused before a warning."""


def chip_ids(chips: int | Sequence[int]) -> tuple[int, ...]:
    """Return chip numbers: n means chips 0 to n - 1, a list names them; raise ConfigError for none or repeated ones."""
    try:
        ids = tuple(range(chips)) if isinstance(chips, int) else tuple(index(c) for c in chips)
    except TypeError:  # no number, nor a list of whole numbers
        ids = ()
    if not ids or min(ids) < 0 or len(set(ids)) != len(ids):
        raise ConfigError(
            f"chips is a number of at least 1, or a list of different chip numbers from 0, found {chips!r}; "
            "chips=4 makes chips 0 to 3, chips=[7] makes chip 7 alone"
        )
    return ids


class AnalogLayer(nn.Module):
    """Base of the analog layers: one weight matrix per group of channels, laid on tiles of every chip.

    The batch is chip-major: with n chips the first dimension of inputs and outputs holds n blocks of the batch.
    `backward()` keeps the layer's input x and output error d; the optimizer's step moves the devices by them.
    chips: the numbers of its chips. clipped: per chip, the share of weights that the last `set_weights` clipped.
    ranks: the processes that train the layer together, each with a part of the batch; None where there is one process.
    Raises ConfigError for impossible chips or settings.
    """

    ranks: Ranks | None = None

    def __init__(
        self, shape: tuple[int, int], groups: int, bias: bool, config: AnalogConfig, *, name: str | None, seed: int,
        chips: int | Sequence[int],
    ) -> None:  # fmt: skip
        super().__init__()
        if min(shape) < 1:
            raise ConfigError(f"an analog layer has at least 1 input and 1 output, found {shape[1]} and {shape[0]}")
        if name is None:
            name = f"unnamed-{int(torch.randint(2**62, (), device='cpu'))}"
        self.name, self.seed, self.chips, self.groups = name, seed, chip_ids(chips), groups
        self.config = config.for_layer(name)
        self.out_size, self.in_size = shape
        bias = bias and self.config.mapping.bias != "none"
        self.array_bias = bias and self.config.mapping.bias == "array"
        rows = shape[0] // groups
        with torch.device("cpu"):  # devices are drawn there, whatever torch's default device is
            self.grid_list = tuple(
                Grid(
                    (rows, shape[1]), self.array_bias, self.config, seed=seed, chips=self.chips,
                    name=name if groups == 1 else f"{name}/group{g}",
                )
                for g in range(groups)
            )  # fmt: skip
        self.grids = nn.ModuleList(self.grid_list)
        self.tile_list = tuple(tile for grid in self.grid_list for tile in grid.tile_list)
        self.pulses = AnalogParameter(self, self.device)
        self.pending: list[tuple[Any, ...]] = []
        self._versions: list[int] = []
        self._forgotten = 0
        self.clipped: list[float] = [0.0] * len(self.chips)
        self.register_load_state_dict_post_hook(_link)
        self.bias: nn.Parameter | None = None
        if bias and not self.array_bias:
            self.bias = nn.Parameter(torch.zeros(len(self.chips), shape[0], device=self.device))
            self.bias.chip_axis = True  # type: ignore[attr-defined]  # a note for the optimizer

    def reset_parameters(self) -> None:
        """Write torch's default initial weights, uniform in +-1/sqrt(fan in), the same on every chip."""
        reach = 1 / max(1, self.in_size) ** 0.5
        weight = torch.empty(self.out_size, self.in_size, device="cpu").uniform_(-reach, reach)
        has_bias = self.array_bias or self.bias is not None
        bias = torch.empty(self.out_size, device="cpu").uniform_(-reach, reach) if has_bias else None
        self.set_weights(weight, bias)

    def set_weights(self, weight: Tensor, bias: Tensor | None = None, *, calibrate: bool = True) -> None:
        """Write weights ideally: (out, in...) for all chips or (chips, out, in...), and biases (out) or (chips, out).

        What lies beyond a device's own bounds is clipped; `clipped` then holds the share per chip. `calibrate`: set
        the digital scale from the weights first, where `mapping.scaling` asks for it. Raises ShapeError for other
        shapes or a bias that the layer has not (or lacks), NotFiniteError for NaN or infinity, MhoError where the layer
        is programmed.
        """
        if self.programmed:
            raise MhoError(
                f"layer {self.name!r} is programmed, so weights that are set now would not be seen; call "
                "mho.restore(model), set them, and program it again"
            )
        n, here = len(self.chips), self.device
        matrix = self._per_chip(weight.detach().to(here, torch.float32), (self.out_size, self.in_size), "weight")
        has_bias = self.array_bias or self.bias is not None
        if (bias is not None) != has_bias:
            state = "has a bias" if has_bias else "has no bias"
            raise ShapeError(f"layer {self.name!r} {state}, but set_weights was given bias={bias is not None}")
        if bias is not None:
            values = self._per_chip(bias.detach().to(here, torch.float32), (self.out_size,), "bias")
            if self.array_bias:
                matrix = torch.cat((matrix, values.unsqueeze(2)), dim=2)
            else:
                assert self.bias is not None
                with torch.no_grad():
                    self.bias.copy_(values)
        rows = self.out_size // self.groups
        share = torch.zeros(n, device=here)
        for g, grid in enumerate(self.grid_list):
            share += grid.write_(matrix[:, g * rows : (g + 1) * rows].contiguous(), calibrate=calibrate)
        self.clipped = (share / self.groups).tolist()

    def _per_chip(self, values: Tensor, shape: tuple[int, ...], what: str) -> Tensor:
        n, size = len(self.chips), int(np.prod(shape))
        if values.numel() == size:
            return values.reshape(1, *shape).expand(n, *shape)
        if values.numel() == n * size and values.shape[0] == n:
            return values.reshape(n, *shape)
        raise ShapeError(
            f"layer {self.name!r}: {what} has shape {tuple(values.shape)}, expected {shape} for all chips or "
            f"{(n, *shape)} for each; pass the weights of one network or a stack over chips"
        )

    def get_weights(self) -> tuple[Tensor, Tensor | None]:
        """Return exact weights (chips, out, in) and biases (chips, out), without the noise of a product."""
        matrix = torch.cat([grid.read() for grid in self.grid_list], dim=1)
        if self.array_bias:
            return matrix[:, :, :-1], matrix[:, :, -1]
        return matrix, None if self.bias is None else self.bias.detach().clone()

    @property
    def weight(self) -> Tensor:
        """A copy of the weights, without the chip axis when there is one chip."""
        weight = self.get_weights()[0]
        return weight[0] if len(self.chips) == 1 else weight

    def analog_tiles(self) -> list[Tile]:
        """Return the tiles of this layer, group by group, each group's row part by row part, array by array."""
        return list(self.tile_list)

    def analog_arrays(self) -> list[Array]:
        """Return the arrays of weights of this layer, block by block."""
        return [array for block in self.analog_blocks() for array in block.array_list]

    def analog_blocks(self) -> list[Learner]:
        """Return what holds and moves the weights of this layer, group by group, in the order of the tiles."""
        return [block for grid in self.grid_list for block in grid.block_list]

    @property
    def programmed(self) -> bool:
        """Whether products see programmed conductances in place of the trained arrays; see `mho.program`."""
        return any(block.programmed is not None for block in self.analog_blocks())

    @property
    def device(self) -> torch.device:
        """Where the layer's tiles are."""
        return self.tile_list[0].home

    @property
    def on_gpu(self) -> bool:
        """Whether the kernels of a GPU move the layer's devices."""
        return self.tile_list[0].on_gpu

    def check_device(self, x: Tensor) -> None:
        """Raise ConfigError unless an input and the whole layer are on one device."""
        device = x.device
        for tile in self.tile_list:
            if tile.home != device:
                raise self._apart(device)
        bias = self._parameters.get("bias")
        if bias is not None and bias.device != device:
            raise self._apart(device)

    def _apart(self, device: torch.device) -> ConfigError:
        """Return the error for an input on a device where not the whole layer is."""
        found = {t.home for t in self.tile_list} | ({self.bias.device} if self.bias is not None else set())
        if len(found) > 1:
            return ConfigError(
                f"layer {self.name!r} has its tensors on different devices ({', '.join(sorted(map(str, found)))}), but "
                f"its products need all of them in one place; move it as a whole, with model.to('{device}')"
            )
        return ConfigError(
            f"layer {self.name!r} is on {self.device}, but its input is on {device}, and a product needs both in one "
            f"place; call x.to('{self.device}'), or model.to('{device}')"
        )

    def chip_batch(self, rows: int) -> int:
        """Return the batch of each chip for a first dimension of `rows`; raise ShapeError when it does not divide."""
        n = len(self.chips)
        if rows % n:
            raise ShapeError(
                f"layer {self.name!r} holds {n} chips, but its input has {rows} samples, which is not a multiple of "
                f"{n}; repeat the batch over the chips with mho.spread(x, {n})"
            )
        return rows // n

    def check(self, lr: object) -> list[Any]:
        """Return the checked update of everything kept since gradients were zeroed; nothing is moved yet."""
        raise NotImplementedError

    def apply_(self, prepared: list[Any], lr: object) -> None:
        """Apply a checked update and end the optimizer step."""
        raise NotImplementedError

    def finish_(self) -> None:
        """End the optimizer step on every block and forget x and d."""
        for grid in self.grid_list:
            grid.rest_()
        self.pending.clear()
        self._versions.clear()
        self._forgotten = 0

    def keep(self, x: Tensor, d: Tensor, *rest: Any) -> None:
        """Keep the input and output error of one backward pass for the update."""
        self.pending.append((x, d, *rest))
        self._versions.append(x._version)

    def first(self, count: int) -> int:
        """Return the place of the first of this process's `count` samples (or vectors) in the whole batch."""
        return 0 if self.ranks is None else self.ranks.first(count)

    def kept(self) -> list[tuple[Tensor, int]]:
        """Return x and d of every backward pass in turn, each with the dimension in which its samples lie."""
        return [part for x, d, *_ in self.pending for part in ((x, 1), (self._by_sample(d), 2))]

    def replace_(self, kept: list[Tensor]) -> None:
        """Put what `kept` returned, of all ranks' samples, in the place of this rank's."""
        pairs = zip(kept[::2], kept[1::2], self.pending, strict=True)
        self.pending = [(x, d.flatten(1, d.dim() - 3), *rest) for x, d, (_, _, *rest) in pairs]
        self._versions = [x._version for x, *_ in self.pending]

    def _by_sample(self, d: Tensor) -> Tensor:
        """Return d as (parts, chips, samples, ...)."""
        return d

    def forget(self) -> None:
        """Drop what backward passes left; warn when that happens again and again without an update."""
        if not self.pending:
            return
        self.pending.clear()
        self._versions.clear()
        self._forgotten += 1
        if self._forgotten == UNUSED:
            warnings.warn(
                f"layer {self.name!r}: gradients were zeroed {UNUSED} times in a row without an update, so its devices "
                "never move; step with mho.optim.AnalogSGD or mho.optim.AnalogOptimizer, which drive analog layers",
                stacklevel=2,
            )

    def check_inputs(self) -> None:
        """Raise MhoError when the layer is programmed, or an input was overwritten since its forward pass."""
        if self.programmed:
            raise MhoError(
                f"layer {self.name!r} is programmed: its products see conductances that no pulse moves. Call "
                "mho.restore(model) first, or leave its `pulses` frozen (requires_grad False) and train digital parts"
            )
        for (x, *_), version in zip(self.pending, self._versions, strict=True):
            if x.device != self.device:
                raise MhoError(
                    f"layer {self.name!r} was moved from {x.device} to {self.device} between backward() and step(), "
                    "but its update needs the input and error that it kept; step or zero the gradients, then move it"
                )
            if x._version != version:
                raise MhoError(
                    f"layer {self.name!r}: its input was changed in place between backward() and step(), and the "
                    "update needs it as it was; nothing was moved. Give every step a tensor of its own, or x.clone()"
                )

    def refuse(self, error: NotFiniteError, when: str) -> NotFiniteError:
        """Return an error that names this layer."""
        return NotFiniteError(
            f"layer {self.name!r}, {when}: {error}. Nothing was moved; look at the loss and the learning rate, or the "
            "data"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._link()

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        pulses = self.pulses
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.pulses = pulses  # load_state_dict(assign=True) puts a plain parameter in its place

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        self._link()
        return self

    def _link(self) -> None:
        """Set what copying, moving or loading drops: the way from the pulses to this layer, and where these are.

        And the note of a chip axis. torch may put a plain parameter in the place of the pulses when it moves them.
        """
        found: nn.Parameter = self.pulses
        if not isinstance(found, AnalogParameter) or found.device != self.device:
            empty = torch.empty(0, device=self.device)
            if isinstance(found, AnalogParameter) and torch._has_compatible_shallow_copy_type(found, empty):
                found.data = empty  # as torch moves parameters: optimizers keep them
            else:
                self.pulses = AnalogParameter(self, self.device)
                self.pulses.requires_grad_(found.requires_grad)
        self.pulses.layer = self
        if found.grad is not None and found.grad.device != self.device:
            self.pulses.grad = torch.empty(0, device=self.device)
        self._versions = [x._version for x, *_ in self.pending]
        if self.bias is not None:
            self.bias.chip_axis = True  # type: ignore[attr-defined]  # a note for the optimizer


def _link(layer: AnalogLayer, _: object = None) -> None:
    """Link a layer once its tiles are loaded, too: with `assign=True` they are where the given tensors are."""
    layer._link()


def analog_layers(model: nn.Module) -> list[AnalogLayer]:
    """Return the analog layers of a model, each once, in the order of its modules."""
    return [m for m in model.modules() if isinstance(m, AnalogLayer)]
