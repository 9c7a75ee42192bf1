"""The extended Hamming code (8, 4): four bits in eight devices, as many as four differential pairs take."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from mho.errors import ShapeError

PARITY = torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]])
"""A word is (data, data @ PARITY): any two words differ in at least four bits."""
PLACES = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128])


def encode(data: Tensor) -> Tensor:
    """Return words, bool (..., 8), of data, bool (..., 4); raises ShapeError for another length."""
    if data.shape[-1] != 4:
        raise ShapeError(f"the code takes 4 bits at a time, found {tuple(data.shape)}; pad and reshape to (..., 4)")
    parity = (data.long().unsqueeze(-1) * PARITY.to(data.device)).sum(-2) % 2  # GPUs have no product of integers
    return torch.cat([data, parity.bool()], dim=-1)


def decode(words: Tensor) -> Tensor:
    """Return the data, bool (..., 4), of words, bool (..., 8): one wrong bit is corrected.

    Two wrong bits are detected and not corrected: the data are then returned as they were read.
    """
    return _table().to(words.device)[(words.long() * PLACES.to(words.device)).sum(-1)]


@lru_cache(maxsize=1)
def _table() -> Tensor:
    """Return the data of all 256 words, (256, 4)."""
    words = (torch.arange(256)[:, None] & PLACES) > 0
    known = encode((torch.arange(16)[:, None] & PLACES[:4]) > 0)
    wrong = (words[:, None] != known[None]).sum(-1)
    near, which = wrong.min(1)
    return torch.where((near <= 1)[:, None], known[which][:, :4], words[:, :4])


def corrected_error(rate: float) -> float:
    """Return the bit error rate of the data when all bits of a word are wrong independently with probability `rate`.

    The sum over all 256 patterns of errors; about 7 rate^2 for small rates.
    """
    patterns = (torch.arange(256)[:, None] & PLACES) > 0
    wrong = decode(patterns).double().mean(1)  # the code is linear: errors do not depend on the data
    number = patterns.sum(1).double()
    return float((rate**number * (1 - rate) ** (8 - number) * wrong).sum())


def words_of(bits: Tensor) -> Tensor:
    """Return the bits, bool (rows, columns), of a memory that holds data (rows, n) as words: (rows, 8 ceil(n / 4)).

    Columns are filled up with zeros to a multiple of four.
    """
    rows, columns = bits.shape
    padded = torch.nn.functional.pad(bits, (0, -columns % 4))
    return encode(padded.view(rows, -1, 4)).flatten(1)


def data_of(words: Tensor, columns: int) -> Tensor:
    """Return the data, bool (..., rows, columns), of what was read from a memory of words (see `words_of`)."""
    return decode(words.unflatten(-1, (-1, 8))).flatten(-2)[..., :columns]
