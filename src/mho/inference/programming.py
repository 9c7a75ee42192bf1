"""Programming a trained model: its weights become conductances of fresh devices, age, and are forgotten again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Real

import torch
from torch import Tensor, nn

from mho.config.analog import bad_length, lists_over_chips
from mho.errors import ConfigError, MhoError, NotFiniteError, SettingsError
from mho.inference.compensation import factors
from mho.inference.fault_map import FaultMap, of_block, read_fault_map
from mho.inference.presets import preset
from mho.inference.programmed import Programmed
from mho.inference.programming_report import LayerReport, ProgramReport
from mho.inference.settings import Programming
from mho.inference.writing import Written, write_
from mho.nn.layer import AnalogLayer, analog_layers
from mho.random import make_key
from mho.tiles.draw import TileDraw
from mho.update.learner import Learner

Made = list[tuple[Learner, Programmed]]


@torch.no_grad()
def program(
    model: nn.Module, settings: Programming | str = "ideal", *, seed: int | None = None,
    fault_map: FaultMap | None = None,
) -> ProgramReport:  # fmt: skip
    """Program the trained weights of every analog layer on fresh devices; products then see these, until `restore`.

    settings: a `Programming`, or the name of a preset. seed: draws other devices; by default that of the model. All
    chips are programmed at once, chip k as alone. Programming again writes the same devices anew: faults and d2d stay,
    errors of the write are drawn afresh. fault_map: by name of a layer, devices that are stuck beside those of
    `settings.faults`: arrays (devices, outputs, inputs), or (chips, ...), with -1 at g_min, +1 at g_max and 0 for free
    ones, where a bias in the array is the last input; or a .npz or .safetensors file of them. The model then shows its
    weights as written; `age(model, 0)` shows them as first read. Where anything is wrong, nothing is programmed.
    Raises ConfigError for impossible settings, ShapeError for a map of another shape, NotFiniteError for weights that
    are NaN or infinite, MhoError for a model without analog layers.
    """
    settings = preset(settings) if isinstance(settings, str) else settings
    if not isinstance(settings, Programming):
        raise ConfigError(f'program takes a Programming or the name of a preset such as "pcm", found {settings!r}')
    layers = programmable(model)
    _check_lists(settings, len(layers[0].chips))
    if seed is not None:
        make_key(seed, 0, "", "program")  # raises for one that does not fit
    maps = {} if fault_map is None else read_fault_map(fault_map, layers, settings.conductances)
    made: Made = []
    rows = []
    for layer in layers:
        written = list(_layer(layer, settings, seed, maps.get(layer.name), made))
        rows.append(LayerReport.of(layer.name, written, settings.timing))
    for block, one in made:
        block.programmed = one
    return ProgramReport(tuple(rows))


def _check_lists(settings: Programming, chips: int) -> None:
    """Raise ConfigError for lists of ageing over another number of chips: nothing reads these before `age` does."""
    lists = [(path, n) for path, n in lists_over_chips(settings.ageing, "ageing") if n not in (1, chips)]
    if lists:
        raise SettingsError([(path, bad_length(n, chips)) for path, n in lists])


def _layer(
    layer: AnalogLayer, settings: Programming, seed: int | None, stuck: Tensor | None, made: Made
) -> Iterator[Written]:
    """Program the blocks of a layer, each on devices that are put into `made`; yield how it went."""
    layout = settings.conductances
    for group, grid in enumerate(layer.grid_list):
        for span, block in zip(grid.spans, grid.block_list, strict=True):
            weights = block.visible
            if not bool(torch.isfinite(weights).all()):
                raise NotFiniteError(
                    f"layer {layer.name!r} has weights that are NaN or infinite; nothing was programmed"
                )
            one = _fresh(block, settings, seed)
            part = None if stuck is None else of_block(stuck, group, grid.rows, span, layout).to(weights.device)
            yield write_(one, part)
            made.append((block, one))


def _fresh(block: Learner, settings: Programming, seed: int | None) -> Programmed:
    """Return the devices for a block, not yet written; how often they were follows from what is programmed now."""
    tile = block.tile_list[0]
    scale = scale_of(block, settings)
    draw = TileDraw(tile.seed if seed is None else seed, tile.chips, tile.name, (1, 1, 1))
    made = Programmed(block.visible / scale, scale, settings, draw)
    if isinstance(block.programmed, Programmed):
        made.writes = block.programmed.writes
    return made


def scale_of(block: Learner, settings: Programming) -> Tensor:
    """Return the weight of a block that becomes 1, (chips, 1 or rows, 1)."""
    if settings.conductances.reach == "device":
        return block.reach.float().reshape(-1, 1, 1).clone()
    top = block.visible.abs().amax(dim=2, keepdim=True)
    if settings.conductances.reach == "tile":
        top = top.amax(dim=1, keepdim=True)
    return torch.where(top > 0, top, torch.ones_like(top))


@torch.no_grad()
def age(model: nn.Module, seconds: float) -> None:
    """Show the weights of a programmed model as they are `seconds` after the first read after programming.

    Drift and loss depend on the time alone; noise of reading is drawn anew with every call. Raises MhoError for a model
    that is not programmed, and for a time that is no number, negative, not finite, or before one shown already.
    """
    programmed = programmed_blocks(model)
    if not programmed:
        raise MhoError(
            f"age was asked of a {type(model).__name__} that is not programmed, so it has no conductances that could "
            "age; call mho.program(model, ...) first"
        )
    given: object = seconds
    if not isinstance(given, Real) or not math.isfinite(seconds):
        raise MhoError(f"age takes seconds as a finite number, found {seconds!r}; give 3600.0 for an hour")
    before = max(one.elapsed for one in programmed)
    if seconds < before:
        raise MhoError(
            f"age was asked for {seconds:g} s after programming, but the model was shown at {before:g} s already; "
            "times cannot go backwards: give a later one, or program the model again"
        )
    shown = [one.aged_(seconds) for one in programmed]
    kind = programmed[0].settings.compensation
    if kind != "none":
        first = [one.shown(0.0, 0) * one.scale for one in programmed]
        now = [weights * one.scale for weights, one in zip(shown, programmed, strict=True)]
        for one, factor in zip(programmed, factors(first, now, kind), strict=True):
            one.compensate_(factor)
    for one, weights in zip(programmed, shown, strict=True):
        one.show_(weights)


def restore(model: nn.Module) -> None:
    """Forget what was programmed: products see the trained arrays again, which were kept bit for bit.

    Raises MhoError for a model without analog layers.
    """
    for layer in programmable(model):
        for block in layer.analog_blocks():
            block.programmed = None


def programmable(model: nn.Module) -> list[AnalogLayer]:
    """Return the analog layers of a model, each once; raise MhoError where there are none."""
    found = analog_layers(model)
    if not found:
        raise MhoError(
            f"{type(model).__name__} has no analog layers, so there is nothing to program; convert it first: "
            "mho.convert_to_analog(model, mho.preset(...), trained=True)"
        )
    return found


def programmed_blocks(model: nn.Module) -> list[Programmed]:
    """Return what was programmed of a model, block by block."""
    return [m for m in model.modules() if isinstance(m, Programmed)]
