"""A tile: its draws, writing, frozen devices, leak, write noise, counters and several devices per weight."""

import numpy as np
import pytest
import torch
from scipy import stats

from mho.devices import ConstantStep, Faults, Leak, SoftBounds, Spread
from mho.errors import CheckpointError, ConfigError, MhoError, NotFiniteError, ShapeError
from mho.tiles.tile import ROLES, Tile
from mho.update import Update
from mho.update.apply import apply_update_, choose_devices, prepare_update

ALARM = 1e-3  # two-sided false-alarm rate of each statistical test


def make(device=None, shape=(30, 40), **options) -> Tile:
    return Tile(device or SoftBounds(), shape, name="tile", **options)


def pulse_(tile, x, d, gain=5.0, *, update=None, pulsed="all", first=0):
    """Apply one step and let one update pass; return what was prepared."""
    gains = torch.full((len(tile.chips),), gain)
    step = prepare_update(tile, x, d, gains, update=update or Update(), pulsed=pulsed, first=first)
    apply_update_(step)
    tile.rest_()
    return step


def random_step(tile, batch=3, silent=0.5, seed=0):
    """Return samples in which a share of rows and columns never fires."""
    generator = torch.Generator().manual_seed(seed)
    chips, _, rows, columns = tile.state.shape
    x = torch.rand(chips, batch, columns, generator=generator) * 2 - 1
    d = torch.rand(chips, batch, rows, generator=generator) * 2 - 1
    x[:, :, : int(silent * columns)] = 0
    d[:, :, : int(silent * rows)] = 0
    return x, d


def share_agrees(found: int, n: int, p: float):
    assert stats.binomtest(found, n, p).pvalue > ALARM


# ---- writing ----


def test_write_clips_at_each_devices_own_bounds_and_reports_the_share():
    tile = make(chips=(0, 1))
    target = torch.rand(2, 30, 40) * 3 - 1.5
    share = tile.write_(target)
    low, high = (b[:, 0] for b in tile.bounds())
    assert torch.equal(tile.visible, torch.minimum(torch.maximum(target, low), high))
    beyond = ((target < low) | (target > high)).float().mean(dim=(1, 2))
    assert torch.allclose(share, beyond)
    assert 0.2 < share.min() < share.max() < 0.9
    assert tile.write_(torch.zeros(2, 30, 40)).tolist() == [0, 0]


def test_write_refuses_and_changes_nothing():
    tile = make()
    tile.write_(torch.full((1, 30, 40), 0.1))
    before = tile.state.clone()
    bad = torch.zeros(1, 30, 40)
    bad[0, 3, 4] = torch.nan
    with pytest.raises(NotFiniteError, match=r"'tile'.*no device was changed"):
        tile.write_(bad)
    with pytest.raises(ShapeError, match=r"\(1, 30, 40\), found weights \(1, 40, 30\)"):
        tile.write_(torch.zeros(1, 40, 30))
    assert torch.equal(tile.state, before)


# ---- faults ----


def test_frozen_devices_never_move_and_their_shares_match():
    faults = Faults(dead=0.1, stuck=[0.05, 0.2], range=0.3)
    tile = make(ConstantStep(faults=faults, leak=Leak(10.0, 0.2), write_noise=5.0), (100, 100), chips=(0, 1))
    frozen = tile.frozen[:, 0].bool()
    start = tile.state.clone()
    values = [start[c, 0][frozen[c]] for c in range(2)]
    for chip, stuck in enumerate((0.05, 0.2)):
        share_agrees(int((values[chip] == 0).sum()), 10_000, 0.1)
        rest = values[chip][values[chip] != 0].double().numpy()
        share_agrees(len(rest), 10_000, stuck)
        assert stats.kstest(rest, stats.uniform(-0.3, 0.6).cdf).pvalue > ALARM
    tile.write_(torch.full((2, 100, 100), 0.05))
    for seed in range(3):
        pulse_(tile, *random_step(tile, silent=0.0, seed=seed))
    assert torch.equal(tile.state[tile.frozen.bool()], start[tile.frozen.bool()])
    assert torch.equal(tile.visible[frozen], start[:, 0][frozen])
    assert (tile.state[:, 0][~frozen] != 0.05).float().mean() > 0.9
    assert not tile.counts[tile.frozen.bool()].any()


def test_frozen_devices_of_a_sum_show_before_anything_is_written():
    tile = make(ConstantStep(faults=Faults(stuck=0.5)), (20, 20), gains=(1.0, 1.0))
    assert torch.allclose(tile.visible, tile.state.sum(1))
    assert tile.visible.abs().max() > 0


# ---- leak ----


def test_leak_is_its_closed_form():
    leak = Leak(Spread(20.0, d2d=0.2), Spread(0.1, std=0.05))
    tile = make(SoftBounds(leak=leak))
    tile.write_(torch.full((1, 30, 40), 0.3))
    start, reset = tile.state.double(), tile.reset.double()
    for _ in range(25):
        tile.rest_()
    expected = reset + (start - reset) * tile.keep.double() ** 25
    assert torch.allclose(tile.state.double(), expected, atol=2e-6)
    assert tile.keep.std() > 0
    assert (tile.state - start).abs().max() > 0.05


def test_leak_keeps_write_noise():
    """Only pulses redraw write noise: a device at rest keeps the distance of state and what is read."""
    tile = make(ConstantStep(write_noise=10.0, leak=Leak(5.0)))
    pulse_(tile, *random_step(tile, silent=0.0))
    noise = tile.apparent - tile.state
    assert noise.std() > 0.005
    tile.rest_()
    assert torch.allclose(tile.apparent - tile.state, noise, atol=1e-6)


# ---- write noise and counters ----


def test_write_noise_is_redrawn_for_pulsed_devices_only_and_has_its_variance():
    tile = make(ConstantStep(dw_min=0.001, write_noise=[8.0, 2.0]), (60, 50), chips=(0, 1))
    pulse_(tile, *random_step(tile, silent=0.0))
    before, counts = tile.apparent.clone(), tile.counts.clone()
    pulse_(tile, *random_step(tile, seed=1))
    pulsed = tile.counts != counts
    assert 0.1 < pulsed.float().mean() < 0.5
    assert torch.equal(tile.apparent[~pulsed], before[~pulsed])
    noise = (tile.apparent - tile.state).double()
    assert (noise[pulsed] != (before - tile.state)[pulsed]).all()
    for chip, sigma in enumerate((8e-3, 2e-3)):
        z = (noise[chip][pulsed[chip]] / sigma).numpy()
        assert stats.kstest(z, stats.norm.cdf).pvalue > ALARM
    assert torch.equal(tile.visible, tile.apparent[:, 0])


def test_counters_hold_the_pulses_of_every_device():
    tile = make(ConstantStep(c2c=0.0, up_down=Spread(1.0), dw_min=Spread(0.001)), chips=(0, 1))
    x, d = random_step(tile, batch=1)
    pulse_(tile, x, d)
    steps = (tile.state.abs() / 0.001).round().int()  # one sample moves a device in one direction
    assert torch.equal(tile.counts, steps)
    assert torch.equal(tile.totals, tile.counts.sum(dim=(1, 2, 3)).long())
    assert tile.totals.min() > 0
    off = make(ConstantStep(), chips=(0, 1), count_pulses=False)
    pulse_(off, x, d)
    assert off.counts is None
    assert torch.equal(off.totals, tile.totals)


# ---- several devices per weight ----


def test_all_devices_move_or_one_at_random_or_in_turn():
    batch = 300
    device = ConstantStep(c2c=0.0, w_max=10.0, w_min=-10.0)
    x, d = torch.ones(2, batch, 3), torch.ones(2, batch, 4)

    def moved(pulsed):
        tile = make(device, (4, 3), gains=(0.5, 0.5, 0.5), chips=(0, 1))
        step = pulse_(tile, x, d, gain=1.0, update=Update(bl=1), pulsed=pulsed)
        return tile, choose_devices(tile, step.moves[0].samples, step.scheme)

    tile, chosen = moved("all")
    assert chosen is None
    assert (tile.counts == batch).all()
    tile, chosen = moved("turn")
    assert (tile.counts == batch // 3).all()
    assert torch.allclose(tile.visible, 0.5 * tile.state.sum(1))
    tile, chosen = moved("random")
    assert (tile.counts.sum(1) == batch).all()
    for k in range(3):
        share_agrees(int((chosen == k).sum()), chosen.numel(), 1 / 3)
    assert not torch.equal(chosen[0], chosen[1])
    for chip in range(2):
        expected = torch.bincount(chosen[chip].long(), minlength=3)
        assert (tile.counts[chip] == expected.view(3, 1, 1)).all()


def test_turn_goes_on_over_steps_and_blocks():
    device = ConstantStep(c2c=0.0)
    whole, split = (make(device, (4, 3), gains=(1.0,) * 4) for _ in range(2))
    x, d = random_step(whole, batch=10, silent=0.0)
    gain = torch.full((1,), 5.0)
    both = [prepare_update(whole, x, d, gain, update=Update(), pulsed="turn")]
    halves = [
        prepare_update(split, x[:, a:b], d[:, a:b], gain, update=Update(), pulsed="turn", first=a)
        for a, b in ((0, 3), (3, 10))
    ]
    for step in both + halves:
        apply_update_(step)
    assert torch.equal(whole.state, split.state)
    first = choose_devices(whole, both[0].moves[0].samples, both[0].scheme)[0, 0]
    whole.rest_()
    later = prepare_update(whole, x, d, gain, update=Update(), pulsed="turn")
    again = choose_devices(whole, later.moves[0].samples, later.scheme)[0, 0]
    assert again == (first + 1) % 4


# ---- draws ----


def test_spreads_have_their_mean_and_deviation():
    device = SoftBounds(
        dw_min=Spread([0.001, 0.002], d2d=0.1), up_down=Spread(1.0), w_max=Spread(0.6, d2d=0.05),
        w_min=Spread(-0.6, d2d=0.2, log_normal=True),
    )  # fmt: skip
    tile = make(device, (100, 100), chips=(3, 5))
    n = 10_000
    low, high = (b.double().numpy() for b in tile.bounds())
    step = (tile.cell_rate_up * tile.cell_top).double().numpy()
    for chip, dw in enumerate((0.001, 0.002)):
        for values, mean, d2d in (
            (high[chip], 0.6, 0.05),
            (step[chip], dw, 0.1),
            (np.log(-low[chip] / 0.6) + 1, 1, 0.2),
        ):
            z = (values.ravel() / mean - 1) / d2d
            assert abs(z.mean()) * n**0.5 < stats.norm.isf(ALARM / 2)
            assert stats.chi2.ppf(ALARM / 2, n - 1) < z.var(ddof=1) * (n - 1) < stats.chi2.isf(ALARM / 2, n - 1)
    assert abs(np.corrcoef(high[0].ravel(), step[0].ravel())[0, 1]) < stats.norm.isf(ALARM / 2) / n**0.5


@pytest.mark.parametrize("ratio", [1.0, 1.01, 1.2, 0.9])
def test_up_down_ratio_has_its_mean_and_deviation(ratio):
    """A ratio near 1 spreads to both sides of 1: E a+ / E a- = r, and its deviation is the one stated."""
    n = 90_000
    device = ConstantStep(dw_min=Spread(0.001), up_down=Spread(ratio, d2d=0.02))
    tile = make(device, (300, 300))
    ratios = (tile.cell_a_up / tile.cell_a_down).double().numpy()
    assert abs(ratios.mean() - ratio) < stats.norm.isf(ALARM / 2) * 0.02 * ratio / n**0.5 + 0.0004  # 2nd order
    assert ratios.std() == pytest.approx(0.02 * ratio, rel=0.02)


def test_a_chip_draws_the_same_alone():
    device = SoftBounds(
        up_down=Spread([1.0, 1.5, 0.8], d2d=0.05), faults=Faults(dead=0.1), leak=Leak(Spread(9, d2d=0.1))
    )
    together = make(device, chips=(4, 0, 9))
    for place, (chip, ratio) in enumerate(zip((4, 0, 9), (1.0, 1.5, 0.8), strict=True)):
        one = SoftBounds(up_down=Spread(ratio, d2d=0.05), faults=Faults(dead=0.1), leak=Leak(Spread(9, d2d=0.1)))
        alone = make(one, chips=(chip,))
        for name, values in alone.named_buffers():
            if name != "gains":
                assert torch.equal(values[0], together.get_buffer(name)[place]), name
        for role, keys in alone.role_keys.items():
            assert torch.equal(keys[0], together.role_keys[role][place])
        assert torch.equal(alone.update_keys[0], together.update_keys[place])


def test_names_seeds_and_chips_draw_other_devices():
    tiles = [make(), make(chips=(1,)), make(seed=1), Tile(SoftBounds(), (30, 40), name="other")]
    tops = [t.cell_top.flatten() for t in tiles]
    for i in range(4):
        for j in range(i):
            r = np.corrcoef(tops[i], tops[j])[0, 1]
            assert abs(r) < stats.norm.isf(ALARM / 12) / 1200**0.5


def test_folded_draws_are_counted():
    tile = make(ConstantStep(w_max=Spread(0.6, d2d=0.6)), (100, 100))
    assert tile.cell_top.min() >= 0
    share_agrees(round(tile.folded["w_max"] * 10_000), 10_000, stats.norm.cdf(-1 / 0.6))


# ---- memory, state, refusals ----


@pytest.mark.parametrize(("counts", "limit"), [(True, 32), (False, 28)])
def test_memory_per_cell(counts, limit):
    """Bytes of all buffers a cell, soft bounds with all spreads."""
    tile = make(SoftBounds(), (128, 128), count_pulses=counts)
    size = sum(b.numel() * b.element_size() for b in tile.buffers())
    assert size / 128**2 <= limit
    held = {b.data_ptr() for b in tile.buffers()}
    others = [v for v in vars(tile).values() if isinstance(v, torch.Tensor) and v.data_ptr() not in held]
    assert sum(v.numel() * v.element_size() for v in others) < 1024


def test_state_dict_holds_the_clock():
    tile, other = make(), make()
    pulse_(tile, *random_step(tile))
    tile.next_call("forward")
    other.load_state_dict(tile.state_dict())
    assert (other.steps, other.calls) == (1, dict.fromkeys(ROLES, 0) | {"forward": 1})
    held = tile.state_dict()
    del held["clock"]
    with pytest.raises(RuntimeError, match=r"Missing key.*clock"):
        other.load_state_dict(held)
    held = tile.state_dict() | {"clock": torch.zeros(9)}
    with pytest.raises(CheckpointError, match=r"clock has shape \(9,\), expected \(6,\)"):
        other.load_state_dict(held)


@pytest.mark.parametrize("cast", [torch.float64, torch.float16])
def test_refuses_other_precisions(cast):
    """Kernels read the buffers' memory, so a cast would make them read garbage."""
    tile = make()
    with pytest.raises(ConfigError, match=r"'tile'.*float32"):
        tile.to(cast)
    assert tile.state.dtype == torch.float32
    assert tile.float() is tile


def test_refuses_too_many_devices():
    with pytest.raises(ShapeError, match=r"2\^31: split it"):
        make(shape=(2**16, 2**15))


def test_refuses_nan_in_x_or_d_before_anything_moves():
    tile = make()
    x, d = random_step(tile)
    for name, values in (("input x", x), ("error d", d)):
        for update in (Update(), Update(trains="ideal")):
            kept = values[0, 1, 2].clone()
            values[0, 1, 2] = torch.inf
            with pytest.raises(NotFiniteError, match=name):
                prepare_update(tile, x, d, torch.ones(1), update=update)
            values[0, 1, 2] = kept


def test_a_step_count_that_overflows_raises():
    tile = make()
    tile.steps = 2**32
    with pytest.raises(MhoError, match="step is 4294967296"):
        pulse_(tile, *random_step(tile))


def test_ideal_update_stops_at_the_bounds():
    tile = make(SoftBounds())
    x, d = torch.ones(1, 1, 40), torch.ones(1, 1, 30)
    pulse_(tile, x, d, gain=0.01, update=Update(trains="ideal"))
    assert torch.allclose(tile.state, torch.maximum(tile.bounds()[0], torch.tensor(-0.01)))
    pulse_(tile, x, -d, gain=100.0, update=Update(trains="ideal"))
    assert torch.equal(tile.state, tile.bounds()[1])


def test_a_bound_that_is_drawn_as_zero_is_a_very_small_one():
    """Of a million devices with bounds of 0.6 and 30 % spread one draw is 0 to the last bit."""
    tile = Tile(SoftBounds(), (1024, 1024), name="1 to 5 pulses, one in 100")
    for low, high in [tile.bounds()]:
        assert (high > 0).all()
        assert (low < 0).all()
