"""The pulsed update in slow, obvious NumPy, sample by sample and slot by slot: what all backends must equal.

Trains, pulses, counts and totals are equal bit for bit on every backend. So are the states under a law of
arithmetic, `where`, `minimum` and `maximum`; under a law with `exp`, `log`, `power` or `tanh` they agree to
rounding, because the law runs here on NumPy's own functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.devices.base import law_arguments
from mho.kernels.burst import check_each_once, checked_lines
from mho.kernels.cells import MOST, PURPOSES, Cells, Fuse, Samples, Scheme
from mho.kernels.cpu import Rates
from mho.random import normal32, philox, pick

ONE = 1 << 30
"""The threshold of a slot that always fires: probabilities are whole multiples of 2^-30."""


def draws(key: np.ndarray, cell: Any, vector: int, draw: Any, step: int) -> np.ndarray:
    """Return word draw % 4 of the block (cell, vector, draw // 4, step), broadcast over cells and draws."""
    k0, k1, at, which = (np.atleast_1d(np.asarray(v, np.uint32)) for v in (key[0], key[1], cell, draw))
    sample, now = np.full(1, vector, np.uint32), np.full(1, step, np.uint32)
    at, which = np.broadcast_arrays(at, which)
    w0, w1, w2, w3 = philox(k0, k1, at, sample, which // np.uint32(4), now)
    return np.asarray(pick(w0, w1, w2, w3, which))


def key_of(samples: Samples, chip: int, purpose: str) -> np.ndarray:
    """Return the two words of the key of a chip and purpose."""
    return samples.keys[chip, PURPOSES.index(purpose)].numpy().view(np.uint32)


def rates(samples: Samples, scheme: Scheme) -> Rates:
    """Return train lengths and rates of every vector; nothing is moved.

    BL = min(bl, ceil(gain x_max d_max)) if managed, else bl; 0 where x or d is zero. K = sqrt(gain / BL), and
    p_x = K sqrt(d_max/x_max) abs(x), p_d = K sqrt(x_max/d_max) abs(d) if balanced, else K abs(x), K abs(d).
    """
    x, d = np.abs(samples.x.numpy()), np.abs(samples.d.numpy())
    gain = samples.gain.numpy()[:, None]
    x_max, d_max = x.max(axis=2, initial=0.0), d.max(axis=2, initial=0.0)
    if samples.bias:
        x_max = np.maximum(x_max, np.float32(1.0))
    with np.errstate(all="ignore"):
        length = np.full(x_max.shape, scheme.bl, np.float32)
        if scheme.managed:
            length = np.fmin(np.fmax(np.ceil(gain * (x_max * d_max)), 1.0), length).astype(np.float32)
        k = gain / length
        x_rate = np.sqrt(k * (d_max / x_max)) if scheme.balanced else np.sqrt(k)
        d_rate = np.sqrt(k * (x_max / d_max)) if scheme.balanced else np.sqrt(k)
    silent = (x_max == 0) | (d_max == 0)
    length = np.where(silent, 0, length).astype(np.int32)
    a, b, c = (torch.from_numpy(np.ascontiguousarray(v).reshape(-1)) for v in (x_rate, d_rate, length))
    return Rates(a, b, c, bool(np.isfinite(x).all()), bool(np.isfinite(d).all()))


def thresholds(rate: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return min(1, rate abs(value)) of every line in units of 2^-30, as int64; a value of 0 never fires."""
    with np.errstate(all="ignore"):
        p = np.where(values == 0, np.float32(0.0), np.fmin(rate * np.abs(values), np.float32(1.0)))
    return (p.astype(np.float32) * np.float32(ONE) + np.float32(0.5)).astype(np.int64)


def random_trains(limits: np.ndarray, length: int, key: np.ndarray, vector: int, step: int) -> np.ndarray:
    """Return the trains (lines, slots): a slot fires when its word's high 30 bits are below the limit."""
    lines, slots = np.arange(len(limits))[:, None], np.arange(length)[None, :]
    return (draws(key, lines, vector, slots, step) >> np.uint32(2)).astype(np.int64) < limits[:, None]


def even_trains(limits: np.ndarray, length: int, *, spread_out: bool) -> np.ndarray:
    """Return deterministic trains: round(p BL) pulses, in the first slots or spread evenly over all."""
    count = ((limits * length + ONE // 2) // ONE)[:, None]
    slot = np.arange(length)[None, :]
    if spread_out:
        half = 2 * slot * count + length
        return np.asarray((half + 2 * count) // (2 * length) > half // (2 * length))
    return np.asarray(slot < count)


def trains(samples: Samples, scheme: Scheme, rates_: Rates, chip: int, vector: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the trains of one sample, x (columns with the bias, slots) and d (rows, slots), as booleans."""
    at = chip * samples.x.shape[1] + vector
    length = int(rates_.length[at])
    x = samples.x[chip, vector].numpy()
    if samples.bias:
        x = np.append(x, np.float32(1.0))
    x_limits = thresholds(rates_.x_rate[at].numpy(), x)
    d_limits = thresholds(rates_.d_rate[at].numpy(), samples.d[chip, vector].numpy())
    if scheme.deterministic:
        return even_trains(x_limits, length, spread_out=False), even_trains(d_limits, length, spread_out=True)
    x_key, d_key = key_of(samples, chip, "train x"), key_of(samples, chip, "train d")
    number = samples.first + vector
    return (
        random_trains(x_limits, length, x_key, number, samples.step),
        random_trains(d_limits, length, d_key, number, samples.step),
    )


def pulse_update_(cells: Cells, samples: Samples, scheme: Scheme, rates_: Rates, device_of: Tensor | None) -> None:
    """Move the devices of a tile by the pulses of one step's samples, in place.

    `device_of`: (chips, batch) int32, which device of a cell (or pair, if `paired`) each sample pulses; None for all.
    A pulse is up where x and d differ in sign: the update is W -= lr d x^T; under a negative gain it is down there.
    """
    chips = cells.state.shape[0]
    for chip in range(chips):
        touched = np.zeros(cells.state.shape[1:], bool)
        for vector in range(samples.x.shape[1]):
            x_on, d_on = trains(samples, scheme, rates_, chip, vector)
            chosen = _chosen(cells, device_of, chip, vector)
            up = _up(cells, samples, chip, vector)
            for slot in range(x_on.shape[1]):
                hit = np.zeros_like(touched)
                for k in chosen:
                    hit[k] = np.outer(d_on[:, slot], x_on[:, slot])
                if cells.one_sided:
                    hit &= up
                touched |= _pulse(cells, samples, chip, (vector, slot), hit, up)
        _write(cells, samples, chip, touched)


def mean_update_(cells: Cells, samples: Samples, noisy: Tensor, device_of: Tensor | None) -> None:
    """Move the devices of a tile without granularity: by the law's mean step times n = gain abs(x d) pulses, in place.

    In m = ceil(n) equal parts, so that none exceeds a pulse: w <- w + s (law(w, xi / sqrt(s)) - w) with s = n/m. xi is
    0, or where the noise of a chip is on (`noisy`, (chips,) uint8) a standard normal draw: a step that is linear in xi
    then has the mean and the variance of n pulses, and no state leaves the law's bounds. Further states go the same
    share of their way. No pulses are counted; n is at most 65,536 a sample.
    """
    chips = cells.state.shape[0]
    for chip in range(chips):
        touched = np.zeros(cells.state.shape[1:], bool)
        for vector in range(samples.x.shape[1]):
            x, d = samples.x[chip, vector].numpy(), samples.d[chip, vector].numpy()
            x = np.append(x, np.float32(1.0)) if samples.bias else x
            pulses = np.minimum((samples.gain[chip].numpy() * np.abs(d))[:, None] * np.abs(x), np.float32(MOST))
            number = np.zeros(touched.shape, np.float32)
            for k in _chosen(cells, device_of, chip, vector):
                number[k] = pulses
            if cells.one_sided:
                number[~_up(cells, samples, chip, vector)] = 0.0
            if cells.frozen is not None:
                number[cells.frozen[chip].numpy() != 0] = 0.0
            parts = np.ceil(number)
            touched |= parts > 0
            share = number / np.maximum(parts, np.float32(1.0))
            for part in range(int(parts.max(initial=0))):
                now = np.where(parts > part, share, np.float32(0.0))
                _move_part(cells, samples, chip, vector, part, now, bool(noisy[chip]))
        _write(cells, samples, chip, touched)


def burst_(
    cells: Cells, pulses: Tensor, keys: Tensor, *, step: int, vector: int = 0, rows: Tensor | None = None,
    columns: Tensor | None = None, tick: Tensor | None = None, fuse: Fuse | None = None,
) -> None:  # fmt: skip
    """Pulse the devices of a tile by numbers of pulses, one after another, in place.

    pulses: (chips, devices, rows, columns) int32, contiguous; its sign is the direction of the device's own state,
    whatever its gain, and one-sided tiles take pulses down, too. rows, columns: int32 numbers of the lines that it is
    about, each once; None for all in order. keys: as `Samples.keys`. Pulse p of a device takes the draw that slot p of
    vector `vector` takes in a pulsed update; counters, faults, write noise and the sum over devices are as there. tick,
    fuse: as in `Samples`, for the kernels of a GPU.
    Raises ShapeError for another shape, and for lines that do not exist or are named twice; nothing is moved then.
    """
    row_list, column_list = checked_lines(cells, pulses, rows, columns)
    check_each_once(cells, row_list, column_list)
    none = torch.empty(0)
    drawn = Samples(none, none, none, keys, step, first=vector)
    for chip in range(cells.state.shape[0]):
        number = np.zeros(cells.state.shape[1:], np.int64)
        number[:, row_list.numpy()[:, None], column_list.numpy()] = pulses[chip].numpy()
        touched = np.zeros(number.shape, bool)
        for pulse in range(int(np.abs(number).max(initial=0))):
            touched |= _pulse(cells, drawn, chip, (0, pulse), np.abs(number) > pulse, number > 0)
        _write(cells, drawn, chip, touched)


def _move_part(
    cells: Cells, samples: Samples, chip: int, vector: int, part: int, share: np.ndarray, noisy: bool
) -> None:
    """Move devices by one part of their pulses, `share` of a pulse; 0 where a device is not moved."""
    on = share > 0
    arrays, taken = _of_law(cells, chip, on)
    old, share = [a[on] for a in arrays], share[on]
    up = _up(cells, samples, chip, vector)[on]
    xi = np.zeros_like(share)
    if noisy:
        key = key_of(samples, chip, "pulse")
        xi = normal32(draws(key, np.flatnonzero(on), samples.first + vector, part, samples.step)) / np.sqrt(share)
    moved = cells.device.pulse(old[0], up, xi, *old[1:], *taken)
    for array, a, b in zip(arrays, old, moved if cells.device.state else [moved], strict=True):
        b = np.asarray(b, np.float32)
        array[on] = np.clip(a + share * (b - a), np.minimum(a, b), np.maximum(a, b))


def _chosen(cells: Cells, device_of: Tensor | None, chip: int, vector: int) -> list[int]:
    """Return the devices of a cell that a sample pulses."""
    devices, sides = range(cells.state.shape[1]), 1 + cells.paired
    return [k for k in devices if device_of is None or k // sides == int(device_of[chip, vector])]


def _up(cells: Cells, samples: Samples, chip: int, vector: int) -> np.ndarray:
    """Return whether a pulse of this sample on (device, row, column) is up."""
    x = np.signbit(samples.x[chip, vector].numpy())
    if samples.bias:
        x = np.append(x, False)
    weight = np.not_equal.outer(np.signbit(samples.d[chip, vector].numpy()), x)
    return np.not_equal.outer(cells.gains.numpy() < 0, weight)


def _pulse(
    cells: Cells, samples: Samples, chip: int, moment: tuple[int, int], hit: np.ndarray, up: np.ndarray
) -> np.ndarray:
    """Pulse the devices in `hit` (devices, rows, columns) once, at (vector, slot); return which of them can move."""
    cells.totals[chip] += int(hit.sum())
    moves = hit if cells.frozen is None else hit & (cells.frozen[chip].numpy() == 0)
    if not moves.any():
        return moves
    number = samples.first + moment[0]
    xi = normal32(draws(key_of(samples, chip, "pulse"), np.flatnonzero(moves), number, moment[1], samples.step))
    arrays, taken = _of_law(cells, chip, moves)
    w, *extra = (a[moves] for a in arrays)
    new = cells.device.pulse(w, up[moves], xi, *extra, *taken)
    for array, value in zip(arrays, new if cells.device.state else [new], strict=True):
        array[moves] = np.asarray(value, np.float32)
    if cells.counts is not None:
        cells.counts[chip].numpy()[moves] += 1
    return moves


def _of_law(cells: Cells, chip: int, on: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return a chip's state and further states, whole, and the law's arguments of the devices in `on`."""
    arrays = [cells.state[chip].numpy(), *(cells.extra[name][chip].numpy() for name in cells.device.state)]
    taken = [cells.parameters[name][chip].numpy() for name in law_arguments(cells.device)]
    return arrays, [p[on] if p.ndim > 1 else p for p in taken]  # a number of the chip, or its table, stays whole


def _write(cells: Cells, samples: Samples, chip: int, touched: np.ndarray) -> None:
    """Redraw the write noise of the devices that were pulsed, and sum the devices of every weight."""
    read = cells.state[chip].numpy()
    if cells.apparent is not None and cells.write_noise is not None:
        xi = normal32(draws(key_of(samples, chip, "write"), np.flatnonzero(touched), 0, 0, samples.step))
        cells.apparent[chip].numpy()[touched] = read[touched] + cells.write_noise[chip].numpy() * xi
        read = cells.apparent[chip].numpy()
    if cells.visible is not None:
        total = np.zeros(read.shape[1:], np.float32)
        for gain, device in zip(cells.gains.numpy(), read, strict=True):
            total = total + gain * device
        if cells.offset is not None:
            total = total - cells.offset[chip].numpy()
        cells.visible[chip] = torch.from_numpy(total)
