"""The analog product written out vector by vector in NumPy: the oracle of the kernels, slow on purpose.

Converters and noise are single precision, rounded as in the kernels, and use the same words; sums are double.
So every DAC code is the kernels' own, and an ADC code may differ only within rounding of the next code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.devices.base import over_chips
from mho.periphery.settings import MAX_REPEATS, Periphery, bits_of
from mho.random import normal32, philox, pick, uniform32


@dataclass
class Stream:
    """Where one vector's noise is drawn: two key words, the number of the call, the vector's number in it."""

    key: np.ndarray
    call: int
    vector: int

    def words(self, index: np.ndarray, kind: int, repeat: int, word: int | np.ndarray) -> np.ndarray:
        """Return word `word` of block (index, vector, 4 repeat + kind, call)."""
        fixed = (*self.key, self.vector, 4 * repeat + kind, self.call)
        k0, k1, vector, place, call = (np.full(index.shape, v, np.uint32) for v in fixed)
        w0, w1, w2, w3 = philox(k0, k1, index.astype(np.uint32), vector, place, call)
        return np.asarray(pick(w0, w1, w2, w3, np.broadcast_to(np.asarray(word, np.uint32), index.shape)))


@dataclass
class Outcome:
    """One vector's product: outputs y, and what led to them.

    scale: the s that stands. inputs: what the array saw. before: clipped values that the ADC converts in
    steps of `step`. repeats: of bound management. nearest: how close to the bound the largest output came.
    edge: how far each value lies from the edge between two ADC codes.
    """

    y: np.ndarray
    scale: float
    inputs: np.ndarray
    before: np.ndarray
    step: float
    repeats: int
    nearest: float
    edge: np.ndarray


def constants(settings: Periphery, chips: int, chip: int) -> dict[str, float]:
    """Return one chip's numbers: input range, noises, output bound, scale, steps of both converters."""
    names = ("input_range", "input_noise", "weight_noise", "output_noise", "output_bound", "scale")
    found = {}
    for name in names:
        value = getattr(settings, name)
        found[name] = np.inf if value is None else float(over_chips(value, chips, name).reshape(-1)[chip])
    for name, bits, reach in (
        ("dac", bits_of(settings.dac_bits), found["input_range"]),
        ("adc", bits_of(settings.adc_bits), found["output_bound"]),
    ):
        found[name] = _step(bits[chip % len(bits)], reach)
    return found


def _step(bits: int | None, reach: float) -> float:
    """Return the step of a converter: n bits are 2^n - 2 steps over the whole range; 0 for an exact one."""
    return 0.0 if bits is None else 2.0 * reach / (2**bits - 2)


def product_of_vector(
    settings: Periphery, weights: np.ndarray, x: np.ndarray, stream: Stream, *, numbers: dict[str, float],
    bias: bool = False, running: float = 0.0,
) -> Outcome:  # fmt: skip
    """Return the product of one vector x (columns,) with one chip's weights (rows, columns [+ bias]).

    `numbers`: of `constants`; `running`: the running mean of max abs(x), for noise management "running-max".
    """
    if bias:
        x = np.append(x, np.float32(1.0))
    rows = weights.shape[0]
    peak = np.abs(x).max(initial=0.0)
    if peak == 0:
        nothing = np.zeros(rows)
        return Outcome(nothing, 0.0, x * 0, nothing, numbers["adc"], 0, np.inf, np.full(rows, np.inf))
    if settings.ideal:
        exact = weights.astype(np.float64) @ x
        return Outcome(exact, 1.0, x, exact, 0.0, 0, np.inf, np.full(rows, np.inf))
    chosen = {"none": 1.0, "max-abs": peak, "constant": numbers["scale"], "running-max": running}
    first = np.float32(chosen[settings.noise_management])
    scale, nearest = first, np.inf
    for repeat in range(MAX_REPEATS + 1):
        inputs = _inputs(settings, x, scale, stream, repeat, numbers)
        y = _outputs(settings, weights, inputs, stream, repeat, numbers)
        bound = numbers["output_bound"]
        largest = float(np.abs(y).max())
        nearest = min(nearest, abs(largest - bound))
        if settings.bound_management == "none" or largest < bound or repeat == MAX_REPEATS:
            break
        if settings.bound_management == "worst-case":
            if repeat == 1:
                break
            scale = np.float32(first * worst_case_factor(settings, weights, x, first, numbers))
        else:
            scale = np.float32(scale * 2)
    before = np.clip(y, -bound, bound)
    levels, edge = _convert(before, numbers["adc"], settings.adc_stochastic, stream, repeat, kind=1, word=0)
    return Outcome(levels * float(scale), float(scale), inputs, before, numbers["adc"], repeat, nearest, edge)


def worst_case_factor(
    settings: Periphery, weights: np.ndarray, x: np.ndarray, scale: np.float32, numbers: dict[str, float]
) -> np.float32:
    """Return the factor of the scale at which no output saturates: six sigma of noise, half a DAC step."""
    reach = numbers["input_range"]
    inputs = np.clip(np.abs(x.astype(np.float64)) / float(scale), 0, reach)
    magnitudes = np.abs(weights.astype(np.float64))
    noise = np.hypot(numbers["output_noise"], numbers["weight_noise"] * np.sqrt((inputs**2).sum()))
    bound = numbers["output_bound"]
    room = max(bound - 6 * noise, 0.1 * bound)
    half = 0.5 * numbers["dac"] * magnitudes.sum(axis=1).max()
    return np.float32(max(1.0, ((magnitudes @ inputs).max() + half) / room))


def _inputs(
    settings: Periphery,
    x: np.ndarray,
    scale: np.float32,
    stream: Stream,
    repeat: int,
    numbers: dict[str, float],
) -> np.ndarray:
    """Return x / s clipped to the input range, converted and disturbed."""
    reach = np.float32(numbers["input_range"])
    inputs = np.clip((x / scale).astype(np.float32), -reach, reach)
    step, stochastic = numbers["dac"], settings.dac_stochastic
    inputs = _convert(inputs, step, stochastic, stream, repeat, kind=2, word=1)[0].astype(np.float32)
    if numbers["input_noise"] > 0:
        words = stream.words(np.arange(len(x)), 2, repeat, 0)
        inputs = (inputs + np.float32(numbers["input_noise"]) * normal32(words)).astype(np.float32)
    return inputs


def _outputs(
    settings: Periphery, weights: np.ndarray, inputs: np.ndarray, stream: Stream, repeat: int,
    numbers: dict[str, float],
) -> np.ndarray:  # fmt: skip
    """Return W x with noise of variance output_noise^2 + weight_noise^2 ||x||^2, as double."""
    y = weights.astype(np.float64) @ inputs.astype(np.float64)
    norm = np.sqrt((inputs.astype(np.float64) ** 2).sum())
    sigma = np.hypot(numbers["output_noise"], numbers["weight_noise"] * norm)
    rows = np.arange(len(y))
    return np.asarray(y + sigma * normal32(stream.words(rows // 4, 0, repeat, rows % 4)))


def _convert(
    values: np.ndarray, step: float, stochastic: bool, stream: Stream, repeat: int, *, kind: int, word: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return values on a converter's levels, and how far each lies from the edge to the next level.

    The level is the nearest (ties to even), or one of the two beside, at random.
    """
    if step == 0:
        return values, np.full(values.shape, np.inf)
    units = values * np.float32(1 / step)
    if stochastic:
        units = units + uniform32(stream.words(np.arange(len(values)), kind, repeat, word))
        return np.floor(units) * np.float32(step), np.abs(units - np.round(units)) * step
    return np.round(units) * np.float32(step), np.abs(units - np.floor(units) - 0.5) * step
