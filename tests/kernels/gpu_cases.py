"""Updates by the GPU's kernels beside the reference's: on a GPU, or on the CPU through Triton's interpreter.

Every function of `CHECKS` takes the name of a torch device and fails where the two differ.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace

import numpy as np
import torch

from kernels.cases import check_equal, choose, make_cells, make_keys, make_samples
from kernels.laws import Everything, Tabled, TabledCurve, Tiring
from mho.devices import ConstantStep, LinearStep, SoftBounds
from mho.kernels import reference
from mho.kernels.cells import Cells, Fuse, Samples, Scheme
from mho.kernels.gpu import fuse, pulse, trains, update

OPTIONS = {"counts": True, "frozen": True, "write_noise": 0.05, "visible": True}
SOFT = SoftBounds(dw_min=0.01)
TABLES = Tabled(sizes=[[0.01, 0.02], [0.03, 0.01]], noise=[[0.3], [0.1]])
CASES = [
    (SOFT, (2, 2, 3, 4), Scheme(bl=4, one_device="random"), OPTIONS, 2),
    (SOFT, (1, 1, 3, 4), Scheme(bl=64, managed=False, balanced=False), {}, 1),
    (ConstantStep(dw_min=0.01), (1, 1, 3, 4), Scheme(bl=7, deterministic=True), {"counts": True}, 3),
    (LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.6), (1, 1, 3, 4), Scheme(bl=4), {}, 1),
    (Tiring(), (1, 2, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (Everything(), (1, 1, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (Tabled(), (1, 1, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (TABLES, (2, 1, 3, 4), Scheme(bl=4), {}, 1),
    (TabledCurve(), (1, 1, 3, 4), Scheme(bl=4), {"counts": True}, 1),
    (SOFT, (2, 4, 3, 4), Scheme(bl=4, one_device="turn"), OPTIONS | {"pair": "one-sided"}, 2),
    (Tiring(), (1, 2, 3, 4), Scheme(bl=4), {"counts": True, "pair": "one-sided"}, 1),
    (SOFT, (1, 4, 3, 4), Scheme(bl=4), OPTIONS | {"pair": "differential"}, 1),
]


def moved_to(value, device):
    """Return a dataclass, dictionary or tensor with all its tensors on a device."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: moved_to(getattr(value, f.name), device) for f in fields(value)})
    if isinstance(value, Fuse):
        return Fuse(value.flags.to(device), value.place)
    if isinstance(value, dict):
        return {name: moved_to(part, device) for name, part in value.items()}
    return value.to(device) if isinstance(value, torch.Tensor) else value


def tolerance(device_law) -> float:
    """Return by how much a law with exp, log, power or tanh may differ from NumPy's."""
    return 2e-6 if isinstance(device_law, Everything | TabledCurve) else 0.0


def pulsed(cells: Cells, samples: Samples, scheme: Scheme, device: str) -> Cells:
    """Return a copy of the tile after one update by the GPU's kernels."""
    mine, given = moved_to(copy.deepcopy(cells), device), moved_to(samples, device)
    chosen = moved_to(choose(cells, samples, scheme), device)
    update.pulse_update_(mine, given, scheme, update.rates(given, scheme), chosen)
    return moved_to(mine, "cpu")


def by_reference(cells: Cells, samples: Samples, scheme: Scheme) -> Cells:
    """Return a copy of the tile after one update by the reference."""
    cells = copy.deepcopy(cells)
    rates = reference.rates(samples, scheme)
    reference.pulse_update_(cells, samples, scheme, rates, choose(cells, samples, scheme))
    return cells


@contextmanager
def blocks(block: int, parts: int, workspace: int = trains.WORKSPACE):
    """Use blocks of another size, so many a program, and tapes of so many bytes."""
    old = pulse.block_of, pulse.parts_of, trains.WORKSPACE
    pulse.block_of, pulse.parts_of, trains.WORKSPACE = lambda _: block, lambda *_: parts, workspace
    try:
        yield
    finally:
        pulse.block_of, pulse.parts_of, trains.WORKSPACE = old


def check_tapes(samples, scheme, rates, shape, device) -> None:
    """Compare the words of all lines with the trains of the reference: four slots of a vector begin at a fourth."""
    chips, batch, _ = samples.x.shape
    own = trains.tapes(moved_to(samples, device), scheme, moved_to(rates, device), None, groups=1, run=range(batch))
    tape = trains.Tape(*(t.cpu() if isinstance(t, torch.Tensor) else t for t in own))
    for chip in range(chips):
        words = -(-int(tape.ends[chip]) // 8)
        for number, (flat, lines) in enumerate(((tape.x, shape[3]), (tape.d, shape[2]))):
            found = flat[tape.room * chip * lines :][: words * lines]
            found = (found.view(words, lines).T if number == 0 else found.view(lines, words)).numpy()
            low, high = ((found[:, :, None] >> np.arange(start, start + 32)) & 1 for start in (0, 32))
            own_trains = [reference.trains(samples, scheme, rates, chip, v)[number] for v in range(batch)]
            exact = np.concatenate([np.pad(t, ((0, 0), (0, -t.shape[1] % 4))) for t in own_trains], axis=1)
            np.testing.assert_array_equal(low.reshape(lines, -1)[:, : exact.shape[1]], exact)
            assert not low.reshape(lines, -1)[:, exact.shape[1] :].any()
            values = (samples.x, samples.d)[number][chip]
            values = torch.cat((values, torch.ones(batch, lines - values.shape[1])), dim=1)
            signs = [np.repeat(np.signbit(v.numpy())[:, None], t.shape[1] + -t.shape[1] % 4, axis=1)
                     for v, t in zip(values, own_trains, strict=True)]  # fmt: skip
            np.testing.assert_array_equal(high.reshape(lines, -1)[:, : exact.shape[1]], np.concatenate(signs, axis=1))


def check_pulses(device: str) -> None:
    """Rates, tapes and pulses equal the reference's, for every kind of law and tile."""
    for law, shape, scheme, options, batch in CASES:
        cells = make_cells(law, shape, **options)
        samples = make_samples(shape[0], batch, *shape[2:], gain=10.0, bias=batch == 2)
        mine, exact = update.rates(moved_to(samples, device), scheme), reference.rates(samples, scheme)
        for name in ("length", "x_rate", "d_rate"):
            np.testing.assert_array_equal(getattr(mine, name).cpu(), getattr(exact, name), err_msg=name)
        check_tapes(samples, scheme, exact, shape, device)
        after = pulsed(cells, samples, scheme, device)
        assert after.totals.min() > 0
        check_equal(after, by_reference(cells, samples, scheme), atol=tolerance(law))


def check_rates(device: str) -> None:
    """Lengths and rates of many vectors, some of zeros, and wide ones, equal the reference's."""
    for columns, rows, batch in ((5, 4, 70), (1500, 3, 2), (3, 1100, 2)):
        for scheme in (Scheme(), Scheme(managed=False), Scheme(bl=5, balanced=False), Scheme(bl=64)):
            samples = make_samples(2, batch, rows, columns, gain=30.0, bias=scheme.managed)
            samples.x[:, 0], samples.d[:, -1], samples.x[0, 1] = 0.0, 0.0, 1e-40
            mine, exact = update.rates(moved_to(samples, device), scheme), reference.rates(samples, scheme)
            for name in ("length", "x_rate", "d_rate"):
                np.testing.assert_array_equal(getattr(mine, name).cpu(), getattr(exact, name), err_msg=name)
    samples.x[1, 1, 0], samples.d[0, 0, 0] = float("nan"), -float("inf")
    wild = update.rates(moved_to(samples, device), Scheme(managed=False)).length.view(2, -1).cpu()
    assert wild[1, 1] == wild[0, 0] == 0


def check_blocks(device: str) -> None:
    """No size of block, number of blocks in a program or length of a run of vectors changes a bit."""
    scheme = Scheme(bl=9, one_device="random")
    cells = make_cells(SOFT, (1, 2, 3, 7), **OPTIONS)
    samples = make_samples(1, 3, 3, 7, gain=20.0, bias=True)
    exact = by_reference(cells, samples, scheme)
    for block, parts, workspace in ((32, 1, 1 << 28), (64, 2, 1 << 28), (16, 2, 1), (8, 3, 100)):
        with blocks(block, parts, workspace):
            check_equal(pulsed(cells, samples, scheme, device), exact)
    # Some 13 words: 32 are those of two cells, and a lane has three.
    scheme, samples = Scheme(bl=64, managed=False), make_samples(1, 7, 3, 7, gain=5.0)
    exact = by_reference(cells, samples, scheme)
    with blocks(4, 3):
        check_equal(pulsed(cells, samples, scheme, device), exact)


def check_long_tapes(device: str) -> None:
    """Tapes of more than 32 words, which are walked 32 at a time; vectors without slots take no place on them."""
    scheme = Scheme(bl=64, managed=False)
    cells = make_cells(SOFT, (1, 1, 3, 4), counts=True)
    for gain in (0.1, 60.0):  # few pulses: cells that have none in the first words; many: some in all
        samples = make_samples(1, 40, 3, 4, gain=gain)
        samples.x[:, 5:9], samples.d[:, 35:] = 0.0, 0.0
        exact = by_reference(cells, samples, scheme)
        assert reference.rates(samples, scheme).length.sum() > 33 * 32
        check_equal(pulsed(cells, samples, scheme, device), exact)
    samples, scheme, old = make_samples(2, 200, 1, 2), Scheme(bl=5), trains.SCAN
    trains.SCAN = 64  # lengths are added up in several goes
    check_tapes(samples, scheme, reference.rates(samples, scheme), (2, 1, 1, 2), device)
    trains.SCAN = old


def check_empty(device: str) -> None:
    """Batches of no vector or of silent ones move nothing, and the counters of random draws may have 32 bits."""
    cells = make_cells(SOFT, (2, 1, 3, 4), **OPTIONS)
    samples = make_samples(2, 2, 3, 4)
    for silent in (replace(samples, x=samples.x[:, :0], d=samples.d[:, :0]), replace(samples, x=0.0 * samples.x)):
        check_equal(pulsed(cells, silent, Scheme(), device), cells)
    late = replace(samples, step=2**32 - 2, first=2**26 - 2)
    check_equal(pulsed(cells, late, Scheme(bl=6), device), by_reference(cells, late, Scheme(bl=6)))


def check_ticks(device: str) -> None:
    """A step in Python and a tick on the device are one number together, in every kernel that draws."""
    cells, scheme = make_cells(SOFT, (2, 2, 3, 4), **OPTIONS), Scheme(bl=5)
    samples = make_samples(2, 2, 3, 4, step=11, gain=5.0)
    early = replace(samples, step=2**32 - 4 + 3, tick=torch.tensor([12]))
    check_equal(pulsed(cells, early, scheme, device), by_reference(cells, samples, scheme))
    noisy = torch.ones(2, dtype=torch.uint8)
    check_equal(by_mean(cells, early, noisy, device), by_mean(cells, samples, noisy, None))
    pulses = torch.full(cells.state.shape, 3, dtype=torch.int32)
    given = {"step": 4, "tick": torch.tensor([7]).to(device)}
    check_equal(burst(cells, pulses, device, **given), burst(cells, pulses, None, step=11))


def by_mean(cells: Cells, samples: Samples, noisy, device: str | None, one_device: str = "all") -> Cells:
    """Return a copy of the tile after one update without granularity, by the reference where there is no device."""
    mine, chosen = copy.deepcopy(cells), choose(cells, samples, Scheme(one_device=one_device))
    if device is None:
        reference.mean_update_(mine, samples, noisy, chosen)
        return mine
    mine = moved_to(mine, device)
    update.mean_update_(mine, moved_to(samples, device), noisy.to(device), moved_to(chosen, device))
    return moved_to(mine, "cpu")


def burst(cells: Cells, pulses, device: str | None, **given) -> Cells:
    """Return a copy of the tile after pulses by count, by the reference where there is no device."""
    mine, keys = copy.deepcopy(cells), make_keys(cells.state.shape[0])
    if device is None:
        reference.burst_(mine, pulses, keys, **given)
        return mine
    mine = moved_to(mine, device)
    update.burst_(mine, pulses.to(device), keys.to(device), **given)
    return moved_to(mine, "cpu")


def check_fuse(device: str) -> None:
    """What is not finite blows the layer's own fuse; a blown fuse, whosever it is, leaves every layer unmoved."""
    cells, scheme = make_cells(SOFT, (2, 2, 3, 4), **OPTIONS), Scheme(bl=5)
    samples = make_samples(2, 3, 3, 4, gain=5.0)
    whole = replace(samples, fuse=Fuse(torch.zeros(4, dtype=torch.int32), 2))
    check_equal(pulsed(cells, whole, scheme, device), by_reference(cells, samples, scheme))
    blown = replace(samples, fuse=Fuse(torch.tensor([0, 1, 0, 0], dtype=torch.int32), 2))
    noisy, pulses = torch.ones(2, dtype=torch.uint8), torch.full(cells.state.shape, 3, dtype=torch.int32)
    check_equal(pulsed(cells, blown, scheme, device), cells)
    check_equal(by_mean(cells, blown, noisy, device), cells)
    check_equal(burst(cells, pulses, device, step=1, fuse=moved_to(blown.fuse, device)), cells)
    for bad in (float("nan"), float("inf"), -float("inf")):
        for name in ("x", "d"):
            wild = replace(moved_to(whole, device), **{name: getattr(samples, name).clone().to(device)})
            wild.fuse.flags.zero_()
            getattr(wild, name)[1, 2, 1] = bad
            check_equal(pulsed(cells, wild, scheme, device), cells)
            assert wild.fuse.flags.tolist() == [0, 0, 1, 0]
            wild.fuse.flags.zero_()
            fuse.check(wild.fuse, wild.x, wild.d)
            assert wild.fuse.flags.tolist() == [0, 0, 1, 0]
            check_equal(by_mean(cells, wild, noisy, device), cells)
    fuse.check(None, wild.x)


def check_bursts(device: str) -> None:
    """Pulses by count equal the reference's, on all lines and on some."""
    rows, columns = torch.tensor([2, 0], dtype=torch.int32), torch.tensor([3], dtype=torch.int32)
    for law, shape, options, lines in (
        (SOFT, (2, 2, 3, 4), OPTIONS | {"pair": "one-sided"}, {}),
        (Tiring(), (2, 1, 3, 4), OPTIONS, {"rows": rows, "columns": columns}),
        (TABLES, (2, 1, 3, 4), {}, {"columns": columns}),
    ):
        cells = make_cells(law, shape, **options)
        listed = (*shape[:2], len(lines.get("rows", range(3))), len(lines.get("columns", range(4))))
        pulses = torch.from_numpy(np.random.default_rng(0).integers(-6, 7, listed).astype(np.int32))
        given = {"step": 3, "vector": 2**31 - 1}
        after = burst(cells, pulses, device, **given, **lines)
        assert after.totals.min() > 0
        check_equal(after, burst(cells, pulses, None, **given, **lines))
        check_equal(burst(cells, pulses, device, **given, **moved_to(lines, device)), after)
        check_equal(burst(cells, torch.zeros_like(pulses), device, **given, **lines), cells)


def check_mean(device: str) -> None:
    """The update without granularity equals the reference's, with its noise and without."""
    for law, shape, options, gain, one in (
        (SOFT, (2, 2, 3, 4), OPTIONS, 1.0, "random"),
        (SOFT, (2, 4, 3, 4), OPTIONS | {"pair": "one-sided"}, 30.0, "turn"),
        (Tiring(), (2, 1, 3, 4), {}, 5.0, "all"),
        (TABLES, (2, 1, 3, 4), {}, 0.01, "all"),
        (Everything(), (2, 1, 3, 4), {"visible": True}, 5.0, "all"),
    ):
        cells = make_cells(law, shape, **options)
        samples = make_samples(shape[0], 3, *shape[2:], gain=gain, bias=True)
        for noisy in (torch.zeros(2, dtype=torch.uint8), torch.tensor([1, 0], dtype=torch.uint8)):
            after = by_mean(cells, samples, noisy, device, one)
            check_equal(after, by_mean(cells, samples, noisy, None, one), atol=tolerance(law))
            assert not torch.equal(after.state, cells.state)


def check_versions(device: str) -> None:
    """Autograd sees that kernels wrote to the tile."""
    cells, samples = moved_to(make_cells(SOFT, (1, 2, 3, 4), **OPTIONS), device), make_samples(1, 1, 3, 4)
    before = [t._version for t in (cells.state, cells.visible, cells.counts)]
    samples = moved_to(samples, device)
    update.pulse_update_(cells, samples, Scheme(), update.rates(samples, Scheme()), None)
    assert all(t._version > old for t, old in zip((cells.state, cells.visible, cells.counts), before, strict=True))


def check_many_steps(device: str, steps: int = 100) -> None:
    """States of a small tile stay those of the reference, step after step."""
    exact = make_cells(SOFT, (1, 1, 4, 4), counts=True)
    mine, scheme = moved_to(copy.deepcopy(exact), device), Scheme(bl=7)
    for step in range(steps):
        samples = make_samples(1, 1, 4, 4, seed=step, step=step, gain=3.0)
        given = moved_to(samples, device)
        reference.pulse_update_(exact, samples, scheme, reference.rates(samples, scheme), None)
        update.pulse_update_(mine, given, scheme, update.rates(given, scheme), None)
    assert exact.totals[0] > steps
    check_equal(moved_to(mine, "cpu"), exact)


CHECKS = {
    check.__name__.removeprefix("check_"): check
    for check in (
        check_rates, check_pulses, check_blocks, check_long_tapes, check_empty, check_ticks, check_fuse, check_bursts,
        check_mean, check_versions, check_many_steps,
    )
}  # fmt: skip
"""What is compared, by name."""
