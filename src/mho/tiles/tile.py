"""A tile: the arrays of one crossbar on every chip of a run, and what happened to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mho.devices.base import Device, law_arguments, over_chips, taken
from mho.devices.spread import numbers
from mho.devices.table import Table
from mho.errors import CheckpointError, ConfigError, GpuMemoryError, NotFiniteError, ShapeError
from mho.kernels.backend import resolve
from mho.kernels.cells import PURPOSES, Cells, Fuse
from mho.kernels.gpu.machine import check_gpu, check_memory
from mho.kernels.product import leak_, normals
from mho.kernels.translate import law_tables
from mho.tiles.draw import TileDraw

ROLES = ("forward", "backward", "evaluate", "transfer", "program")
"""What a tile is used for; each has draws of its own, so evaluating never changes training. "transfer": reads by a
learning rule; "program": pulses by count, as closed-loop writing sends them."""

CELLS = 2**31

TICKS = ("step", *ROLES)
"""What a tile counts, in the order of its ticks."""


class Tile(nn.Module):
    """`chips x devices x rows (outputs) x columns (inputs)` devices with their parameters, counters and draws.

    state: (chips, devices, rows, columns) conductances as normalised weights. The tile's weight is
    `visible` = sum over devices of gain times (apparent state - reference), (chips, rows, columns); the reference
    devices, (chips, devices, rows, columns), are 0 until `set_reference_`. A device with a negative gain is pulsed in
    the opposite direction of the weight. paired: devices come as plus and minus sides in turn. one_sided: a device gets
    only those pulses that raise it.
    Everything that differs between devices is a buffer, so `state_dict` holds the whole chip. Raises ShapeError for
    2^31 devices or more, ConfigError for a device whose `cells` do not fit its law or the chips.

    home: where the tile is, and its keys with it. gain_list, gain_sums: the gains, and the sums of
    all, of the positive ones and of their sizes, as numbers of the host. ticks: on the device,
    what is added to the counted numbers (int64, in the order of `TICKS`) while a CUDA graph owns the tile; None else.
    fuse: where a GPU remembers that a step was not finite; None where an optimizer has not set it.
    """

    state: Tensor
    gains: Tensor
    totals: Tensor
    resets: Tensor
    counts: Tensor | None
    frozen: Tensor | None
    fixed: Tensor  # with faults
    keep: Tensor  # with a leak, as `reset`
    kick: Tensor | None
    reset: Tensor
    apparent: Tensor | None
    write_sigma: Tensor | None
    combined: Tensor | None
    reference: Tensor | None
    offset: Tensor | None  # what the references take from the visible weight
    ticks: Tensor | None = None
    fuse: Fuse | None = None

    def __init__(
        self,
        device: Device,
        shape: tuple[int, int],
        *,
        name: str,
        seed: int = 0,
        chips: tuple[int, ...] = (0,),
        gains: tuple[float, ...] = (1.0,),
        paired: bool = False,
        one_sided: bool = False,
        count_pulses: bool = True,
    ) -> None:
        super().__init__()
        self.device, self.name, self.seed, self.chips = device, name, seed, chips
        self.paired, self.one_sided = paired, one_sided
        rows, columns = shape
        full = (len(chips), len(gains), rows, columns)
        if len(gains) * rows * columns >= CELLS:
            raise ShapeError(f"tile {name!r} has {full[1:]} devices a chip; a tile holds fewer than 2^31: split it")
        draw = TileDraw(seed, chips, name, full[1:], device.correlations)
        self.register_buffer("state", torch.zeros(full))
        self.register_buffer("gains", torch.tensor(gains))
        self.gain_list: tuple[float, ...] = tuple(self.gains.tolist())
        self.gain_sums = tuple(float(g.sum()) for g in (self.gains, self.gains[self.gains > 0], self.gains.abs()))
        self.register_buffer("totals", torch.zeros(len(chips), dtype=torch.int64))
        self.register_buffer("resets", torch.zeros(len(chips), dtype=torch.int64))
        self._draw_parameters(draw, full)
        self._draw_faults(draw, full)
        self._draw_leak(draw)
        for key, value in device.state.items():
            self.register_buffer(f"extra_{key}", torch.full(full, float(value)))
        self.register_buffer("counts", torch.zeros(full, dtype=torch.int32) if count_pulses else None)
        self.register_buffer("reference", None)
        self.register_buffer("offset", None, persistent=False)
        kicks = over_chips(device.diffusion, len(chips), "diffusion")
        self.register_buffer("kick", torch.from_numpy(kicks.copy()) if kicks.any() else None, persistent=False)
        self._prepare_reading(full)
        self.folded = draw.shares
        self._keys = {role: draw.keys(f"product {role}") for role in ROLES} | {
            "update": torch.stack([draw.keys(p) for p in PURPOSES], dim=1).contiguous(),
            "burst": torch.stack([draw.keys(f"program {p}") for p in PURPOSES], dim=1).contiguous(),
            "rest": draw.keys("diffusion"),
        }  # fmt: skip
        self._settle()
        self.backend = "auto"
        self.steps = 0
        self.calls = dict.fromkeys(ROLES, 0)

    def _draw_parameters(self, draw: TileDraw, full: tuple[int, ...]) -> None:
        cells = self.device.cells(draw)
        names = law_arguments(type(self.device))
        missing = [n for n in names if n not in cells]
        if missing:
            raise ConfigError(
                f"{type(self.device).__name__}.cells returned {sorted(cells)}, but its law also takes {missing}; "
                "return an array or number for every argument of the law"
            )
        tables = [n for n in names if isinstance(cells[n], Table)]
        if tables and tables != list(law_tables(type(self.device))):
            raise ConfigError(
                f"{type(self.device).__name__}.cells gives tables for {tables}, but the law reads "
                f"{list(law_tables(type(self.device)))} by interpolate; return a Table for these and no other"
            )
        for key in names:
            self.register_buffer(f"cell_{key}", _stored(cells[key], full, key))

    def _draw_faults(self, draw: TileDraw, full: tuple[int, ...]) -> None:
        faults = self.device.faults
        frozen = None
        if faults is not None and (any(numbers(faults.dead)) or any(numbers(faults.stuck))):
            chance = _uniform(draw.xi("faults"))
            dead = over_chips(faults.dead, full[0], "faults.dead")
            stuck = over_chips(faults.stuck, full[0], "faults.stuck")
            frozen = torch.from_numpy((chance < dead + stuck).astype(np.uint8))
            value = faults.range * _uniform(draw.xi("stuck value"))
            if not self.device.unipolar:
                value = 2 * value - faults.range
            fixed = np.where(chance < dead, 0.0, value) * frozen.numpy()
            self.register_buffer("fixed", torch.from_numpy(fixed.astype(np.float32)))
            self.state.copy_(self.fixed)
        self.register_buffer("frozen", frozen)

    def _draw_leak(self, draw: TileDraw) -> None:
        leak, full = self.device.leak, tuple(self.state.shape)
        self.leaks = leak is not None
        if leak is not None:
            keep = np.exp(-1.0 / np.maximum(draw(leak.lifetime), 1e-6))
            self.register_buffer("keep", _stored(keep, full, "leak.lifetime"))
            self.register_buffer("reset", _stored(draw(leak.reset), full, "leak.reset"))

    def _prepare_reading(self, full: tuple[int, ...]) -> None:
        noisy = any(numbers(self.device.write_noise))
        self.register_buffer("apparent", self.state.clone() if noisy else None)
        sigma = None
        if noisy:
            relative = over_chips(self.device.write_noise, full[0], "write_noise").reshape(-1)
            sigma = torch.from_numpy((relative * self.device.granularity(full[0])).astype(np.float32))
        self.register_buffer("write_sigma", sigma)
        combined = full[1] > 1 or self.gain_list != (1.0,)
        self.register_buffer("combined", torch.zeros(full[0], *full[2:]) if combined else None)
        self.show_()

    @property
    def visible(self) -> Tensor:
        """The weights that a product sees, (chips, rows, columns), in units of conductance."""
        return self._views()[1]

    def cells(self, chips: slice | None = None) -> Cells:
        """Return the arrays that an update changes, of all chips or of some neighbours."""
        cells = self._views()[0]
        if chips is None or chips == slice(0, len(self.chips)):
            return cells
        parts: dict[tuple[int, int], Cells] = self.__dict__["_held"][3]
        key = (chips.start, chips.stop)
        if key not in parts:
            parts[key] = _part(cells, chips)
        return parts[key]

    @property
    def noisy_chips(self) -> Tensor:
        """Whether the cycle-to-cycle noise of each chip's devices is on, (chips,) uint8."""
        if "_noisy" not in self.__dict__:
            noisy = torch.from_numpy(self.device.noisy(len(self.chips)).astype(np.uint8))
            self.__dict__["_noisy"] = noisy.to(self.home)
        return self.__dict__["_noisy"]

    def _views(self) -> tuple[Cells, Tensor]:
        """Return the cells and the visible weights, collected anew only when a buffer was replaced."""
        key = tuple(map(id, self._buffers.values()))
        held = self.__dict__.get("_held")
        if held is None or held[0] != key:
            names = law_arguments(type(self.device))
            cells = Cells(
                type(self.device), self.state, {n: getattr(self, f"cell_{n}") for n in names}, self.totals,
                {n: getattr(self, f"extra_{n}") for n in self.device.state}, self.counts, self.frozen,
                self.apparent, self.write_sigma, self.combined, self.gains, self.offset, self.paired, self.one_sided,
            )  # fmt: skip
            shown = self.apparent if self.apparent is not None else self.state
            held = (key, cells, shown[:, 0] if self.combined is None else self.combined, {})
            self.__dict__["_held"] = held
        return held[1], held[2]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k not in ("_held", "ticks", "fuse")}

    def bounds(self) -> tuple[Tensor, Tensor] | None:
        """Return the lowest and highest state of every device, or None when its law has no `bottom` and `top`.

        The lowest state of a device that pulses can only raise is 0.
        """
        low, high = self._buffers.get("cell_bottom"), self._buffers.get("cell_top")
        if low is None and high is not None and self.device.unipolar:
            low = torch.zeros_like(high)
        if low is None or high is None:
            return None
        return _per_device(low), _per_device(high)

    def write_(self, weights: Tensor, *, finite: bool = False) -> Tensor:
        """Set every device so that the tile shows `weights` (chips, rows, columns); return the clipped share per chip.

        Ideal writing: all devices of a weight get the same state above their references, clipped to their own bounds;
        frozen devices stay. In a pair the sides get half of the weight each, or where pulses can only raise them, one
        of them all of it. Raises NotFiniteError for NaN or infinity; `finite`: there is known to be none.
        """
        if weights.shape != self.visible.shape:
            raise ShapeError(
                f"tile {self.name!r} shows {tuple(self.visible.shape)}, found weights {tuple(weights.shape)}"
            )
        if not finite and not bool(torch.isfinite(weights).all()):
            raise NotFiniteError(f"weights for tile {self.name!r} hold NaN or infinity; no device was changed")
        target = self.states_of(weights)
        if self.reference is not None:
            target += self.reference
        clipped = torch.zeros(len(self.chips), device=self.home)
        if (bounds := self.bounds()) is not None:
            limited = torch.minimum(torch.maximum(target, bounds[0]), bounds[1])
            clipped = (limited != target).float().mean(dim=(1, 2, 3))
            target = limited
        self.state.copy_(target if self.frozen is None else torch.where(self.frozen.bool(), self.state, target))
        self.show_()
        return clipped

    def states_of(self, weights: Tensor) -> Tensor:
        """Return the states above their references with which the devices show weights (chips, rows, columns)."""
        if not self.paired:
            return (weights / self.gain_sums[0]).unsqueeze(1).expand_as(self.state).contiguous()
        whole = (weights / self.gain_sums[1]).unsqueeze(1)
        sides = torch.where((self.gains > 0).view(1, -1, 1, 1), whole, -whole)
        return sides.clamp_min(0.0) if self.one_sided else 0.5 * sides

    def reset_(self, which: Tensor | None = None) -> None:
        """Put all devices, or those chosen by a mask (chips, devices, rows, columns), to 0; frozen ones stay.

        0 is a device's zero before references. Further states become what they were at first; `resets` counts.
        """
        chosen = torch.ones_like(self.state, dtype=torch.bool) if which is None else which
        if self.frozen is not None:
            chosen = chosen & (self.frozen == 0)
        self.resets += chosen.sum(dim=(1, 2, 3))
        self.state.masked_fill_(chosen, 0.0)
        for key, value in self.device.state.items():
            getattr(self, f"extra_{key}").masked_fill_(chosen, float(value))
        written = self.apparent.masked_fill(chosen, 0.0) - self.state if self.apparent is not None else None
        self.show_(written)

    def show_(self, written: Tensor | None = None) -> None:
        """Recompute what a product sees from the states, and the write noise that they carry (none, if not given)."""
        if self.apparent is not None:
            self.apparent.copy_(self.state if written is None else self.state + written)
        if self.combined is not None:
            shown = self.apparent if self.apparent is not None else self.state
            self.combined.copy_((shown * self.gains.view(1, -1, 1, 1)).sum(1))
            if self.offset is not None:
                self.combined -= self.offset

    def set_reference_(self, reference: Tensor) -> None:
        """Read every device against a reference (chips, devices, rows, columns) from now on; no device is moved.

        Raises ShapeError for another shape, NotFiniteError for NaN or infinity.
        """
        if reference.shape != self.state.shape:
            raise ShapeError(
                f"tile {self.name!r} has devices {tuple(self.state.shape)}, found references {tuple(reference.shape)}"
            )
        if not bool(torch.isfinite(reference).all()):
            raise NotFiniteError(f"references for tile {self.name!r} hold NaN or infinity; nothing was changed")
        self.reference = reference.to(self.state).clone()
        self._refer()
        written = self.apparent - self.state if self.apparent is not None else None
        self.show_(written)

    def _refer(self) -> None:
        """Make room for the differential weights, and what the references take from them."""
        if self.reference is None:
            self.offset = None
            return
        self.offset = (self.reference * self.gains.view(1, -1, 1, 1)).sum(1)
        if self.combined is None:
            self.combined = torch.zeros_like(self.offset)

    def rest_(self) -> None:
        """Let one update pass: devices with a leak decay towards their reset value, diffusing ones get a random kick.

        Frozen devices stay, and no device leaves its bounds; where a fuse is blown, all stay. Counts the step.
        """
        self.steps += 1
        if not self.leaks and self.kick is None:
            return
        gate = self.intact()
        before = None if gate is None else self.state.clone()
        written = self.apparent - self.state if self.apparent is not None else None
        if self.leaks:
            leak_(self.state, self.keep, self.reset)
        if self.kick is not None:
            tick = self.tick_of("step")
            self.state += normals(self.rest_keys, tuple(self.state.shape), self.steps, tick=tick) * self.kick
            if (bounds := self.bounds()) is not None:
                torch.minimum(torch.maximum(self.state, bounds[0]), bounds[1], out=self.state)
        if self.frozen is not None:
            self.state.copy_(torch.where(self.frozen.bool(), self.fixed, self.state))
        if gate is not None and before is not None:
            self.state.copy_(torch.where(gate, self.state, before))
        self.show_(written)

    def intact(self) -> Tensor | None:
        """Return whether all layers of a step were finite, a bool of no dimensions on the device; None without a fuse.

        To be asked after all layers have prepared their updates.
        """
        return None if self.fuse is None else (self.fuse.flags == 0).all()

    def next_call(self, role: str) -> int:
        """Return the number of the coming product of a role, and count it."""
        call = self.calls[role]
        self.calls[role] = call + 1
        return call

    @property
    def on_gpu(self) -> bool:
        """Whether the kernels of a GPU move the devices; raises ConfigError where the tile's backend cannot."""
        if self.backend == "auto" and self.home.type == "cpu":  # the answer of `resolve`, without a look at a buffer
            return False
        return resolve(self.backend, self.state) == "gpu"

    def tick_of(self, what: str) -> Tensor | None:
        """Return what is added on the device to the number of the step ("step") or call (a role); None for nothing."""
        if self.ticks is None:
            return None
        at = TICKS.index(what)
        return self.ticks[at : at + 1]

    def counted(self) -> list[int]:
        """Return the numbers of steps and calls so far, in the order of `TICKS`."""
        return [self.steps, *self.calls.values()]

    def count_(self, numbers: list[int]) -> None:
        """Set the numbers that `counted` returns."""
        self.steps, *calls = numbers
        self.calls = dict(zip(ROLES, calls, strict=True))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        made = fn(torch.empty(0, device=self.home))
        if made.dtype != torch.float32:
            raise ConfigError(
                f"tile {self.name!r} was asked to hold {made.dtype}, but devices are float32: kernels draw and move "
                "them in single precision. Convert the model to analog last, or cast its digital layers one by one"
            )
        if made.is_cuda and not self.state.is_cuda and torch.cuda.is_initialized():
            self._check_gpu(made.device)
        super()._apply(fn, recurse)
        self._follow()
        return self

    def _check_gpu(self, device: torch.device) -> None:
        """Raise ConfigError for a GPU that cannot compute, GpuMemoryError (how many chips fit) for one that is full."""
        check_gpu(device)
        held = sum(buffer.numel() * buffer.element_size() for buffer in self.buffers())
        try:
            check_memory(device, len(self.chips), per_chip=held / len(self.chips))
        except GpuMemoryError as error:
            raise GpuMemoryError(f"tile {self.name!r} was to be moved to a GPU, but {error}") from None

    def _follow(self) -> None:
        """Be where the states are: take the keys along, and forget what was made for another device."""
        if self.home != self.state.device:
            self._settle()
            for name in self._non_persistent_buffers_set:
                if (held := self._buffers[name]) is not None:
                    self._buffers[name] = held.to(self.home)
            self.__dict__.pop("_noisy", None)
            self.ticks = self.fuse = None

    def _settle(self) -> None:
        """Put the keys where the states are; the host keeps them, too."""
        self.home = self.state.device
        here = {name: keys.to(self.home) for name, keys in self._keys.items()}
        self.update_keys, self.program_keys, self.rest_keys = here["update"], here["burst"], here["rest"]
        self.role_keys = {role: here[role] for role in ROLES}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "clock"] = torch.tensor(self.counted())

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for key, value in state_dict.items():
            if key.startswith(prefix) and not bool(torch.isfinite(value).all()):
                raise NotFiniteError(
                    f"{key} holds NaN or infinity and was not loaded: devices have finite states; tile "
                    f"{self.name!r} is as it was"
                )
        clock = state_dict.pop(prefix + "clock", None)
        if clock is None:
            rest[2].append(prefix + "clock")
        else:
            if clock.shape != (1 + len(ROLES),):
                raise CheckpointError(f"{prefix}clock has shape {tuple(clock.shape)}, expected {(1 + len(ROLES),)}")
            self.count_(clock.tolist())
        self._make_room(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._follow()
        self._refer()

    def _make_room(self, state_dict: Any, prefix: str) -> None:
        """Have references where the loaded tile has them, and only there."""
        given = state_dict.get(prefix + "reference")
        self.reference = None if given is None else torch.zeros_like(self.state)
        self._refer()
        if given is None and self.gain_list == (1.0,):
            self.combined = None


def _part(cells: Cells, chips: slice) -> Cells:
    """Return the arrays of some neighbouring chips: views, so that an update moves the tile."""

    def part(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: part(one) for name, one in value.items()}
        return value[chips] if isinstance(value, Tensor) else value

    arrays = {name: part(value) for name, value in vars(cells).items() if name != "gains"}
    return Cells(**arrays, gains=cells.gains)


def _per_device(values: Tensor) -> Tensor:
    """Return a law's argument so that it broadcasts to (chips, devices, rows, columns)."""
    return values.view(-1, 1, 1, 1) if values.dim() == 1 else values


def _stored(values: Any, full: tuple[int, ...], name: str) -> Tensor:
    """Return a law's argument as it is kept: (chips,) when devices of a chip share it, a table as (chips, nodes).

    All others (chips, devices, rows, columns).
    """
    array = taken(values, full[0], name)
    if isinstance(values, Table):
        return torch.from_numpy(array.copy())
    array = array.reshape((1,) * (4 - array.ndim) + array.shape)
    if array.shape[0] not in (1, full[0]) or any(
        a not in (1, b) for a, b in zip(array.shape[1:], full[1:], strict=True)
    ):
        raise ConfigError(
            f"{name} has shape {array.shape}; it must broadcast to (chips, devices, rows, columns) = {full}. "
            f"A list over chips needs {full[0]} values"
        )
    if not np.isfinite(array.sum(dtype=np.float64)):
        raise ConfigError(f"{name} holds NaN or infinity; check the device's parameters and cells()")
    if array.shape[1:] == (1, 1, 1):
        return torch.from_numpy(np.broadcast_to(array[:, 0, 0, 0], (full[0],)).copy())
    if array.shape == full and array.flags.c_contiguous and array.flags.writeable:
        return torch.from_numpy(array)
    return torch.from_numpy(np.broadcast_to(array, full).copy())


def _uniform(xi: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(xi.astype(np.float64))
