"""Programming a trained model: its weights become conductances of fresh devices, age, and are forgotten again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mho.errors import MhoError
from mho.inference.compensation import factors
from mho.inference.presets import preset
from mho.inference.programmed import Programmed
from mho.inference.programming_report import LayerReport, ProgramReport
from mho.inference.settings import Programming
from mho.inference.writing import write_
from mho.nn.grid import Grid
from mho.nn.layer import AnalogLayer
from mho.tiles.draw import TileDraw
from mho.update.learner import Learner


def program(
    model: nn.Module, settings: Programming | str = "ideal", *, seed: int | None = None,
    fault_map: Mapping[str, Any] | None = None,
) -> ProgramReport:  # fmt: skip
    """Program the trained weights of every analog layer on fresh devices; products then see these, until `restore`.

    settings: a `Programming`, or the name of a preset. seed: draws other devices; by default that of the model. All
    chips are programmed at once, chip k as alone. Programming again writes the same devices anew: faults and d2d stay,
    errors of the write are drawn afresh. fault_map: by name of a layer, its devices that are stuck beside those of
    `settings.faults`: (devices, outputs, inputs), or (chips, ...), with -1 at g_min, +1 at g_max and 0 for free ones;
    a bias in the array is the last input. Weights are as written then: `age(model, 0)` shows them as first read.
    Raises ConfigError for impossible settings, ShapeError for a map of another shape, MhoError for a model without
    analog layers.
    """
    settings = preset(settings) if isinstance(settings, str) else settings
    layers = analog_layers(model)
    if fault_map is not None:
        raise NotImplementedError
    rows = []
    for layer in layers:
        done = [_program_block(block, settings, seed) for _, block in blocks(layer)]
        rows.append(LayerReport.of(layer.name, done))
    return ProgramReport(tuple(rows))


def _program_block(block: Learner, settings: Programming, seed: int | None) -> Any:
    tile = block.tile_list[0]
    weights = block.visible
    scale = scale_of(block, settings)
    old = block.programmed
    draw = TileDraw(tile.seed if seed is None else seed, tile.chips, tile.name, (1, 1, 1))
    made = Programmed(weights / scale, scale, settings, draw)
    if isinstance(old, Programmed):
        made.writes.copy_(old.writes)
    done = write_(made)
    block.programmed = made
    return done


def scale_of(block: Learner, settings: Programming) -> Tensor:
    """Return the weight of a block that becomes 1, (chips, 1 or rows, 1)."""
    if settings.conductances.reach == "device":
        return block.reach.reshape(-1, 1, 1).clone()
    top = block.visible.abs().amax(dim=2, keepdim=True)
    if settings.conductances.reach == "tile":
        top = top.amax(dim=1, keepdim=True)
    return torch.where(top > 0, top, torch.ones_like(top))


def age(model: nn.Module, seconds: float) -> None:
    """Show the weights of a programmed model as they are `seconds` after the first read after programming.

    Drift and loss depend on the time alone; noise of reading is drawn anew with every call. Raises MhoError for a model
    that is not programmed, and for a time that is negative, not finite, or before one that was shown already.
    """
    programmed = programmed_blocks(model)
    if not programmed:
        raise MhoError(
            f"age was asked of a {type(model).__name__} that is not programmed, so it has no conductances that could "
            "age; call mho.program(model, ...) first"
        )
    before = max(float(one.elapsed) for one in programmed)
    if not (math.isfinite(seconds) and seconds >= before):
        raise MhoError(
            f"age was asked for {seconds:g} s after programming, but the model was shown at {before:g} s already; "
            "times cannot go backwards: give a later one, or program the model again"
        )
    kind = programmed[0].settings.compensation
    shown = []
    for one in programmed:
        one.aged_times += 1
        one.elapsed.fill_(seconds)
        shown.append(one.shown(seconds, int(one.aged_times)))
    if kind != "none":
        first = [one.shown(0.0, 0) for one in programmed]
        scaled = [[w * one.scale for w, one in zip(ws, programmed, strict=True)] for ws in (first, shown)]
        for one, factor in zip(programmed, factors(*scaled, kind), strict=True):
            one.factor = factor
    for one, weights in zip(programmed, shown, strict=True):
        one.show_(weights)


def restore(model: nn.Module) -> None:
    """Forget what was programmed: products see the trained arrays again, which were kept bit for bit."""
    for layer in analog_layers(model):
        for _, block in blocks(layer):
            block.programmed = None


def analog_layers(model: nn.Module) -> list[AnalogLayer]:
    """Return the analog layers of a model, each once; raise MhoError where there are none."""
    found = [m for m in model.modules() if isinstance(m, AnalogLayer)]
    if not found:
        raise MhoError(
            f"{type(model).__name__} has no analog layers, so there is nothing to program; convert it first: "
            "mho.convert_to_analog(model, mho.preset(...), trained=True)"
        )
    return found


def blocks(layer: AnalogLayer) -> Iterator[tuple[Grid, Learner]]:
    """Yield every block of a layer with the grid that it belongs to."""
    for grid in layer.grid_list:
        for block in grid.block_list:
            yield grid, block


def programmed_blocks(model: nn.Module) -> list[Programmed]:
    """Return what was programmed of a model, block by block."""
    return [m for m in model.modules() if isinstance(m, Programmed)]
