"""Counter-based random numbers: the same words on every backend, and the same numbers from them.

Philox4x32-7 (Salmon et al., SC 2011, table 2: the fewest rounds that pass BigCrush with a margin) maps a
64-bit key and a 128-bit counter to four 32-bit words. mho's layout:

    key      two words of one Philox block of (seed, chip, purpose) under the key hash(tile name)
    counter  (cell, vector within the step, draw / 4, step), 32 bits each; word `draw % 4` of the block is it

The functions between the two markers are written in casts and primitives only (`u32`, `i32`, `f32`,
`float_bits`, `bits_float`, `mulhi`, `select`, `sqrt32`), so that their source is also Numba's and Triton's
(`mho.kernels.translate`). Every float operation in them is rounded once and none is fused: results are equal
bit for bit wherever IEEE arithmetic is. They work on NumPy arrays here, which is the reference.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.errors import MhoError

ROUNDS = 7
WORDS = 2**32


def u32(x: Any) -> Any:
    """Return x as unsigned 32-bit, keeping the low bits."""
    return np.asarray(x).astype(np.uint32)


def u64(x: Any) -> Any:
    """Return x as unsigned 64-bit."""
    return np.asarray(x).astype(np.uint64)


def i32(x: Any) -> Any:
    """Return x as signed 32-bit; floats are truncated towards zero."""
    return np.asarray(x).astype(np.int32)


def f32(x: Any) -> Any:
    """Return x rounded to single precision."""
    return np.asarray(x).astype(np.float32)


def float_bits(x: Any) -> Any:
    """Return the bits of a single-precision number as a signed 32-bit integer."""
    return np.ascontiguousarray(x).view(np.int32)


def bits_float(x: Any) -> Any:
    """Return the single-precision number that has these bits."""
    return np.ascontiguousarray(x).view(np.float32)


def mulhi(a: Any, b: Any) -> Any:
    """Return the high 32 bits of the product of two unsigned 32-bit numbers."""
    return u32((u64(a) * u64(b)) >> np.uint64(32))


def select(condition: Any, yes: Any, no: Any) -> Any:
    """Return `yes` where the condition holds, else `no`."""
    return np.where(condition, yes, no)


def sqrt32(x: Any) -> Any:
    """Return the correctly rounded single-precision square root."""
    return np.sqrt(x, dtype=np.float32)


# ---- shared source begins ----


def philox(k0, k1, c0, c1, c2, c3):  # type: ignore[no-untyped-def]
    """Return the four words of one Philox4x32-7 block."""
    for _ in range(7):
        low0 = u32(u32(0xD2511F53) * c0)
        low1 = u32(u32(0xCD9E8D57) * c2)
        high0 = mulhi(u32(0xD2511F53), c0)
        c0 = u32(mulhi(u32(0xCD9E8D57), c2) ^ c1 ^ k0)
        c1 = low1
        c2 = u32(high0 ^ c3 ^ k1)
        c3 = low0
        k0 = u32(k0 + u32(0x9E3779B9))
        k1 = u32(k1 + u32(0xBB67AE85))
    return c0, c1, c2, c3


def pick(w0, w1, w2, w3, draw):  # type: ignore[no-untyped-def]
    """Return the word of a block that belongs to draw number `draw`: word draw % 4."""
    low = select((draw & u32(1)) == u32(0), w0, w1)
    high = select((draw & u32(1)) == u32(0), w2, w3)
    return u32(select((draw & u32(2)) == u32(0), low, high))


def log32(x):  # type: ignore[no-untyped-def]
    """Return ln x for a positive normal number, to about 1 ulp (polynomial of Cephes' logf)."""
    bits = float_bits(x)
    e = i32(i32(bits - i32(0x3F3504F3)) >> i32(23))
    f = f32(bits_float(i32(bits - i32(e << i32(23)))) - f32(1.0))
    y = f32(f32(7.0376836292e-2) * f)
    y = f32(f32(y + f32(-1.1514610310e-1)) * f)
    y = f32(f32(y + f32(1.1676998740e-1)) * f)
    y = f32(f32(y + f32(-1.2420140846e-1)) * f)
    y = f32(f32(y + f32(1.4249322787e-1)) * f)
    y = f32(f32(y + f32(-1.6668057665e-1)) * f)
    y = f32(f32(y + f32(2.0000714765e-1)) * f)
    y = f32(f32(y + f32(-2.4999993993e-1)) * f)
    y = f32(f32(y + f32(3.3333331174e-1)) * f)
    z = f32(f * f)
    y = f32(f32(y * z) - f32(f32(0.5) * z))
    y = f32(y + f32(f32(e) * f32(-2.12194440e-4)))
    return f32(f32(f + y) + f32(f32(e) * f32(0.693359375)))


def exp32(x):  # type: ignore[no-untyped-def]
    """Return e^x to about 1 ulp; x is clipped to [-87, 88] (polynomial of Cephes' expf)."""
    x = f32(select(x < f32(-87.0), f32(-87.0), x))
    x = f32(select(x > f32(88.0), f32(88.0), x))
    n = f32(f32(f32(x * f32(1.44269504088896341)) + f32(12582912.0)) - f32(12582912.0))
    r = f32(f32(x - f32(n * f32(0.693359375))) - f32(n * f32(-2.12194440e-4)))
    y = f32(f32(1.9875691500e-4) * r)
    y = f32(f32(y + f32(1.3981999507e-3)) * r)
    y = f32(f32(y + f32(8.3334519073e-3)) * r)
    y = f32(f32(y + f32(4.1665795894e-2)) * r)
    y = f32(f32(y + f32(1.6666665459e-1)) * r)
    y = f32(y + f32(5.0000001201e-1))
    y = f32(f32(f32(y * f32(r * r)) + r) + f32(1.0))
    return f32(y * bits_float(i32(i32(i32(n) + i32(127)) << i32(23))))


def normal32(word):  # type: ignore[no-untyped-def]
    """Return the standard normal quantile of u = (word + 1/2) / 2^32 (Giles 2010, single precision).

    The error is below 2e-6 up to 5.4 standard deviations and 0.0025 at the last words, 6.2 of them.
    """
    flip = i32(i32(word) >> i32(31))
    k = i32(i32(word) ^ flip)
    u = f32(f32(f32(k) + f32(0.5)) * f32(2.3283064365386963e-10))
    x = f32(f32(f32(i32(i32(0x7FFFFFFF) - k)) + f32(0.5)) * f32(4.656612873077393e-10))
    w = f32(-log32(f32(f32(f32(4.0) * u) * f32(f32(1.0) - u))))
    c = w < f32(5.0)
    t = f32(select(c, f32(w - f32(2.5)), f32(sqrt32(w) - f32(3.0))))
    p = select(c, f32(2.81022636e-08), f32(-0.000200214257))
    p = f32(f32(p * t) + select(c, f32(3.43273939e-07), f32(0.000100950558)))
    p = f32(f32(p * t) + select(c, f32(-3.5233877e-06), f32(0.00134934322)))
    p = f32(f32(p * t) + select(c, f32(-4.39150654e-06), f32(-0.00367342844)))
    p = f32(f32(p * t) + select(c, f32(0.00021858087), f32(0.00573950773)))
    p = f32(f32(p * t) + select(c, f32(-0.00125372503), f32(-0.0076224613)))
    p = f32(f32(p * t) + select(c, f32(-0.00417768164), f32(0.00943887047)))
    p = f32(f32(p * t) + select(c, f32(0.246640727), f32(1.00167406)))
    p = f32(f32(p * t) + select(c, f32(1.50140941), f32(2.83297682)))
    z = f32(f32(p * x) * f32(1.4142135623730951))
    return f32(select(flip == i32(0), f32(-z), z))


def uniform32(word):  # type: ignore[no-untyped-def]
    """Return a uniform number in [0, 1) of 24 bits."""
    return f32(f32(u32(word >> u32(8))) * f32(5.9604644775390625e-08))


def round32(x):  # type: ignore[no-untyped-def]
    """Return x rounded to the nearest whole number, ties to even, for abs(x) < 2^22."""
    return f32(f32(x + f32(12582912.0)) - f32(12582912.0))


# ---- shared source ends ----

SHARED = (philox, pick, log32, exp32, normal32, uniform32, round32)
"""The functions whose source every backend shares, in order of definition."""


def shared_source() -> str:
    """Return the source text of the shared functions."""
    return "\n\n".join(inspect.getsource(f) for f in SHARED)


def _word(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def make_keys(seed: int, chips: Sequence[int], name: str, purpose: str) -> np.ndarray:
    """Return the 64-bit keys of one tile (or layer) and purpose on some chips, two 32-bit words each: (chips, 2).

    Raises MhoError when the seed or a chip does not fit in 64 and 32 bits: a wrapped one would repeat another stream.
    """
    if not 0 <= seed < 2**64:
        raise MhoError(f"seed must be a whole number from 0 to 2^64 - 1, found {seed}; choose a smaller seed")
    if wrong := [chip for chip in chips if not 0 <= chip < WORDS]:
        raise MhoError(f"chip must be a whole number from 0 to 2^32 - 1, found {wrong[0]}")
    tile = _word(name)
    words = (tile % WORDS, tile // WORDS, seed % WORDS, seed // WORDS, chips, _word(purpose) % WORDS)
    block = philox(*(np.array(word, np.uint32).reshape(-1) for word in words))
    return np.stack(block[:2], axis=1)


def make_key(seed: int, chip: int, name: str, purpose: str) -> tuple[int, int]:
    """Return the 64-bit key of one tile (or layer) and purpose as two 32-bit words; raise MhoError as `make_keys`."""
    ((first, second),) = make_keys(seed, (chip,), name, purpose).tolist()
    return first, second


def check_counter(name: str, value: int) -> int:
    """Return a counter field, or raise MhoError when it does not fit in 32 bits."""
    if not 0 <= value < WORDS:
        raise MhoError(f"{name} is {value}, but a field of the random counter has 32 bits; split the run or the layer")
    return value


def permutation(n: int, key: tuple[int, int], step: int) -> np.ndarray:
    """Return a random order of 0..n-1, 64 bits an item (ties, of probability n^2 / 2^64, keep order)."""
    cells = np.arange(n, dtype=np.uint32)
    k0, k1 = (np.array([k], np.uint32) for k in key)
    zero = np.zeros(1, np.uint32)
    a, b, _, _ = philox(k0, k1, cells, zero, zero, np.array([check_counter("step", step)], np.uint32))
    return np.argsort(a.astype(np.uint64) << np.uint64(32) | b.astype(np.uint64), kind="stable")
