"""Run tiny updates by Triton's interpreter and compare with the reference; run as a script by test_gpu_kernels."""

from __future__ import annotations

import copy

import numpy as np
import torch

from kernels.cases import check_equal, make_cells, make_keys, make_samples, updated
from kernels.laws import Everything, Tabled, TabledCurve, Tiring
from mho.devices import ConstantStep, LinearStep, SoftBounds
from mho.kernels import reference
from mho.kernels.cells import Scheme
from mho.kernels.gpu import update
from mho.kernels.gpu.trains import tapes

OPTIONS = {"counts": True, "frozen": True, "write_noise": 0.05, "visible": True}
CASES = [
    (SoftBounds(dw_min=0.01), (2, 2, 3, 4), Scheme(bl=4, one_device="random"), OPTIONS, 2),
    (SoftBounds(dw_min=0.01), (1, 1, 3, 4), Scheme(bl=64, managed=False, balanced=False), {}, 1),
    (ConstantStep(dw_min=0.01), (1, 1, 3, 4), Scheme(bl=7, deterministic=True), {"counts": True}, 1),
    (LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.6), (1, 1, 3, 4), Scheme(bl=4), {}, 1),
    (Tiring(), (1, 2, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (Everything(), (1, 1, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (Tabled(), (1, 1, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (Tabled(sizes=[[0.01, 0.02], [0.03, 0.01]], noise=[[0.3], [0.1]]), (2, 1, 3, 4), Scheme(bl=4), {}, 1),
    (TabledCurve(), (1, 1, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (SoftBounds(dw_min=0.01), (2, 4, 3, 4), Scheme(bl=4, one_device="turn"), OPTIONS | {"pair": "one-sided"}, 2),
    (Tiring(), (1, 2, 3, 4), Scheme(bl=4), {"counts": True, "pair": "one-sided"}, 1),
    (SoftBounds(dw_min=0.01), (1, 4, 3, 4), Scheme(bl=4), OPTIONS | {"pair": "differential"}, 1),
]


def main() -> None:
    for device, shape, scheme, options, batch in CASES:
        cells = make_cells(device, shape, **options)
        samples = make_samples(shape[0], batch, *shape[2:], gain=10.0, bias=batch == 2)
        mine, exact = update.rates(samples, scheme), reference.rates(samples, scheme)
        for one, other in (
            (mine.length, exact.length),
            (mine.x_rate, exact.x_rate),
            (mine.d_rate, exact.d_rate),
        ):
            np.testing.assert_array_equal(one, other)
        check_tapes(samples, scheme, exact, cells)
        after = updated(cells, samples, scheme, update)
        assert after.totals.min() > 0
        check_equal(
            after,
            updated(cells, samples, scheme, reference),
            atol=2e-6 if isinstance(device, Everything | TabledCurve) else 0,
        )
        print(type(device).__name__, "equal", flush=True)
    bursts()


def check_tapes(samples, scheme, rates, cells) -> None:
    """Compare the words of all lines with the trains of the reference."""
    chips, batch, _ = samples.x.shape
    tape = tapes(samples, scheme, rates, None, groups=1, run=range(batch))
    for chip in range(chips):
        words = -(-int(tape.ends[chip]) // 8)
        room = tape.room * chip
        for number, (own, lines) in enumerate(((tape.x, cells.state.shape[3]), (tape.d, cells.state.shape[2]))):
            found = own[room * lines : room * lines + words * lines]
            found = found.view(words, lines).T if number == 0 else found.view(lines, words)
            low = (found.numpy()[:, :, None] >> np.arange(32)) & 1
            trains = [reference.trains(samples, scheme, rates, chip, v)[number] for v in range(batch)]
            padded = [np.pad(t, ((0, 0), (0, -t.shape[1] % 4))) for t in trains]
            exact = np.concatenate(padded, axis=1)
            np.testing.assert_array_equal(low.reshape(lines, -1)[:, : exact.shape[1]].astype(bool), exact)


def bursts() -> None:
    """Compare pulses by count."""
    rows, columns = torch.tensor([2, 0], dtype=torch.int32), torch.tensor([3], dtype=torch.int32)
    for device, shape, options, lines in (
        (SoftBounds(dw_min=0.01), (2, 2, 3, 4), OPTIONS | {"pair": "one-sided"}, {}),
        (Tiring(), (2, 1, 3, 4), OPTIONS, {"rows": rows, "columns": columns}),
        (Tabled(sizes=[[0.01, 0.02], [0.03, 0.01]], noise=[[0.3], [0.1]]), (2, 1, 3, 4), {}, {"columns": columns}),
    ):
        cells = make_cells(device, shape, **options)
        listed = (*shape[:2], len(lines.get("rows", range(3))), len(lines.get("columns", range(4))))
        pulses = torch.from_numpy(np.random.default_rng(0).integers(-6, 7, listed).astype(np.int32))
        after = [copy.deepcopy(cells) for _ in range(2)]
        for tile, module in zip(after, (update, reference), strict=True):
            module.burst_(tile, pulses, make_keys(shape[0]), step=3, vector=2**31 - 1, **lines)
        check_equal(*after)
        assert after[0].totals.min() > 0
        print(type(device).__name__, "equal", flush=True)


if __name__ == "__main__":
    main()
