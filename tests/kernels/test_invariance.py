"""What must not change a result: number of threads, neighbours of a chip, size of blocks, a fork."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from kernels.cases import check_equal, make_cells, make_samples, only_chip, updated
from mho.devices import SoftBounds
from mho.kernels import cpu, launch, reference
from mho.kernels.cells import Scheme

OPTIONS = {"counts": True, "frozen": True, "write_noise": 0.05, "visible": True}


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def large(chips=2, devices=2, batch=12, **options):
    """A tile and samples with enough work that the kernels use all threads."""
    cells = make_cells(SoftBounds(dw_min=0.01), (chips, devices, 60, 80), **options)
    return cells, make_samples(chips, batch, 60, 80, gain=30.0)


@pytest.mark.parametrize("options", [{}, {"counts": True}, OPTIONS])
@pytest.mark.parametrize("batch", [12, 300])
def test_one_thread_equals_two(two_threads, options, batch):
    cells, samples = large(batch=batch, **options)
    entered = []
    kept = launch.launch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "launch", lambda k, a, w: (entered.append(w), kept(k, a, w)))
        both = updated(cells, samples, Scheme())
    torch.set_num_threads(1)
    check_equal(both, updated(cells, samples, Scheme()))
    assert 2 in entered


def test_the_pool_of_python_threads_gives_the_same(two_threads, monkeypatch):
    cells, samples = large(**OPTIONS)
    expected = updated(cells, samples, Scheme())
    monkeypatch.setattr(launch, "openmp", lambda: None)
    check_equal(updated(cells, samples, Scheme()), expected)


@pytest.mark.parametrize("one_device", ["all", "random", "turn"])
def test_a_chip_alone_equals_the_chip_among_others(one_device):
    scheme = Scheme(one_device=one_device)
    cells, samples = large(chips=3, **OPTIONS)
    together = updated(cells, samples, scheme)
    for chip in range(3):
        mine, alone = only_chip(cells, samples, chip)
        expected, _ = only_chip(together, samples, chip)
        check_equal(updated(mine, alone, scheme), expected)


def test_chips_draw_differently():
    cells, samples = large()
    same = replace(samples, x=samples.x[:1].expand(2, -1, -1).contiguous(), d=samples.d[:1].repeat(2, 1, 1))
    cells.state[1], same.gain[1] = cells.state[0], same.gain[0]
    for name, values in cells.parameters.items():
        values[1] = values[0]
        assert name
    after = updated(cells, same, Scheme())
    assert not torch.equal(after.state[0], after.state[1])
    same.keys[1] = same.keys[0]
    after = updated(cells, same, Scheme())
    assert torch.equal(after.state[0], after.state[1])


@pytest.mark.parametrize("one_device", ["all", "turn"])
@pytest.mark.parametrize("block", [1, 40_000, 200_000])
def test_blocks_change_nothing(block, one_device, monkeypatch):
    scheme = Scheme(one_device=one_device)
    cells, samples = large(batch=30, **OPTIONS)
    expected = updated(cells, samples, scheme)
    monkeypatch.setattr(cpu, "BLOCK_BYTES", block)
    check_equal(updated(cells, samples, scheme), expected)


@pytest.mark.parametrize("room", [1, 7, 4096])
def test_the_room_for_events_changes_nothing(room, monkeypatch):
    cells, samples = large(**OPTIONS)
    expected = updated(cells, samples, Scheme())
    monkeypatch.setattr(cpu, "ROOM", room)
    check_equal(updated(cells, samples, Scheme()), expected)


@pytest.mark.parametrize("backend", [cpu, reference])
def test_samples_in_parts_equal_samples_at_once(backend):
    cells = make_cells(SoftBounds(dw_min=0.01), (2, 2, 7, 8), counts=True)
    samples = make_samples(2, 6, 7, 8)
    whole = updated(cells, samples, Scheme(), backend)
    for first in (0, 4):
        part = slice(first, first + 4)
        some = replace(samples, x=samples.x[:, part].contiguous(), d=samples.d[:, part].contiguous(), first=first)
        cells = updated(cells, some, Scheme(), backend)
    check_equal(cells, whole)


def test_silent_samples_anywhere_in_the_batch_change_nothing():
    cells, samples = large()
    samples.d[:, 5] = 0.0
    with_silent = updated(cells, samples, Scheme())
    samples.d[:, 5] = 1.0
    samples.x[:, 5] = 0.0
    check_equal(updated(cells, samples, Scheme()), with_silent)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("which", ["x", "d"])
def test_a_zero_vector_gives_no_pulse(backend, which):
    cells, samples = large(batch=1, **OPTIONS)
    setattr(samples, which, torch.zeros_like(getattr(samples, which)))
    assert not backend.rates(samples, Scheme()).length.any()
    check_equal(updated(cells, samples, Scheme(), backend), cells)


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("bad", [float("nan"), -float("nan"), float("inf"), -float("inf")])
def test_rates_say_which_input_is_not_finite(backend, bad):
    for spot in ((0, 0, 0), (1, 2, 4)):
        samples = make_samples(2, 3, 5, 6)
        assert backend.rates(samples, Scheme()).x_finite
        samples.x[spot] = bad
        found = backend.rates(samples, Scheme())
        assert (found.x_finite, found.d_finite) == (False, True)
        samples = make_samples(2, 3, 5, 6)
        samples.d[spot] = bad
        found = backend.rates(samples, Scheme())
        assert (found.x_finite, found.d_finite) == (True, False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_finishes_on_one_thread(two_threads):
    cells, samples = large(**OPTIONS)
    expected = updated(cells, samples, Scheme())
    # torch's own parallel operations hang in a child that is forked after OpenMP ran (its DataLoader sets one
    # thread there), so this child does nothing with torch but the update.
    child = os.fork()
    if child == 0:
        try:
            cpu.pulse_update_(cells, samples, Scheme(), cpu.rates(samples, Scheme()), None)
            check_equal(cells, expected)
            os._exit(0 if launch.threads() == 1 else 3)
        except BaseException:
            os._exit(4)
    assert _ended(child, seconds=60) == 0


def _ended(child, *, seconds):
    """Return the exit code of a child, or end it and fail when it does not finish."""
    import signal
    import time

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail(f"the forked child did not finish in {seconds} s")


def test_steps_and_seeds_differ():
    cells, samples = large()
    one = updated(cells, samples, Scheme()).state.numpy()
    other = updated(cells, replace(samples, step=samples.step + 1), Scheme()).state.numpy()
    assert np.mean(one != other) > 0.3
