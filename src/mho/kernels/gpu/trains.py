"""Train lengths, rates and pulse trains on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.kernels.cells import Samples, Scheme
from mho.kernels.cpu import Rates
from mho.kernels.gpu.compiling import kernels, start

BLOCK = 256
"""Lines of a program."""


def rates(samples: Samples, scheme: Scheme) -> Rates:
    """Return train lengths and rates of every vector, by the formulas of `reference.rates`."""
    x, d, gain = samples.x.abs(), samples.d.abs(), samples.gain[:, None]
    x_max, d_max = x.amax(2), d.amax(2)
    if samples.bias:
        x_max = x_max.clamp(min=1.0)
    length = torch.full_like(x_max, scheme.bl)
    if scheme.managed:
        length = (gain * (x_max * d_max)).ceil().clamp(1, scheme.bl)
    k = gain / length
    x_rate = (k * (d_max / x_max)).sqrt() if scheme.balanced else k.sqrt()
    d_rate = (k * (x_max / d_max)).sqrt() if scheme.balanced else k.sqrt()
    length = torch.where((x_max == 0) | (d_max == 0), 0, length).to(torch.int32)
    x_rate, d_rate, length = (v.reshape(-1).contiguous() for v in (x_rate, d_rate, length))
    return Rates(x_rate, d_rate, length, bool(x.isfinite().all()), bool(d.isfinite().all()))


def trains(samples: Samples, scheme: Scheme, rates_: Rates) -> tuple[Tensor, Tensor]:
    """Return the train words of x (chips, batch, columns with the bias) and d (chips, batch, rows), int64."""
    chips, batch = samples.x.shape[:2]
    out = []
    for number, values, rate in ((0, samples.x, rates_.x_rate), (1, samples.d, rates_.d_rate)):
        lines = values.shape[2]
        n = lines + (samples.bias and number == 0)
        words = torch.zeros(chips, batch, n, dtype=torch.int64, device=values.device)
        keys = samples.keys[:, number].contiguous()
        start(
            kernels("triton_trains").trains, (-(-n // BLOCK), chips * batch), values.contiguous(), rate, rates_.length,
            keys, words, batch, lines, n, samples.first, samples.step, int(scheme.deterministic), number, BLOCK=BLOCK,
        )  # fmt: skip
        out.append(words)
    return out[0], out[1]
