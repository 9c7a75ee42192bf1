"""What every learning rule is at work: the arrays of one block of a weight matrix, and how samples move them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mho.tiles.array import Array
from mho.tiles.tile import Tile
from mho.update.moving import Rate


class Learner(nn.Module):
    """The arrays of one block of a weight matrix, and the rule by which samples move their devices.

    A subclass moves its arrays in `prepare` and `apply_`, and where these are several it says what the block shows: as
    `visible`, kept in a buffer `shown` by which reports know it. Here it is the first array. What a subclass must keep
    for a run that is resumed to be the same is a persistent buffer. `arrays` holds its arrays by name, `array_list` in
    order; an array that is also set as an attribute would stand twice in checkpoints.

    programmed: what products see in place of the arrays after `mho.program`: a module whose `visible` has the units and
    shape of the learner's own. The arrays are kept as they were and cannot be trained meanwhile. steady: whether every
    optimizer step launches the same kernels, so that a CUDA graph can hold it; a timetable, for one, does not.
    """

    programmed: nn.Module | None
    steady = False

    def __init__(self, **arrays: Array) -> None:
        super().__init__()
        self.arrays = nn.ModuleDict(arrays)
        self.register_module("programmed", None)
        self.array_list: tuple[Array, ...] = tuple(arrays.values())
        self.tile_list: tuple[Tile, ...] = tuple(tile for array in self.array_list for tile in array.tile_list)

    @property
    def visible(self) -> Tensor:
        """The weights that the arrays show, (chips, rows, columns)."""
        return self.array_list[0].visible

    @property
    def weights(self) -> Tensor:
        """The weights that a product sees, (chips, rows, columns): of the arrays, or as they were programmed."""
        return self.visible if self.programmed is None else self.programmed.visible  # type: ignore[return-value]

    @property
    def reach(self) -> Tensor:
        """Per chip the largest weight of either sign that the mean cell can show."""
        return self.array_list[0].reach

    def prepare(self, x: Tensor, d: Tensor, lr: Rate, *, bias: bool, first: int, positions: int) -> Any:
        """Return what `apply_` needs for W -= lr sum of d x^T; nothing is moved.

        x: (chips, vectors, columns without the bias), d: (chips, vectors, rows); lr: one, or one per chip; bias: a
        further column of input 1; first: the number of the first vector within the optimizer step; positions: vectors
        of one sample (the output positions of a convolution). Raises NotFiniteError for NaN or infinity.
        """
        raise NotImplementedError

    def apply_(self, prepared: Any) -> None:
        """Move the devices by what was prepared; may be called several times in an optimizer step."""
        raise NotImplementedError

    def rest_(self) -> None:
        """End an optimizer step: refresh pairs where it is due, and let the devices rest."""
        for array in self.array_list:
            if array.cell.refresh is not None:
                from mho.update.refresh import refresh_

                refresh_(array)
            array.rest_()

    def write_(self, weights: Tensor) -> Tensor:
        """Set every device ideally so that the block shows `weights`; return the clipped share per chip.

        Raises NotFiniteError for NaN or infinity.
        """
        return self.array_list[0].write_(weights)

    def show_(self) -> None:
        """Recompute what a product sees after arrays were moved by hand."""
        for array in self.array_list:
            array.show_()

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if self.programmed is None:  # torch drops what would go to an empty place for a module without a word
            rest[3].extend(name for name in state_dict if name.startswith(f"{prefix}programmed."))

    def tally(self) -> dict[str, Any]:
        """Return by array what happened to its devices so far; a rule with counts of its own adds them."""
        return {name: array.tally() for name, array in self.arrays.items()}  # type: ignore[operator]
