"""Zero-shifting a tile: alternating pulses reach the symmetry point as the law says, references are copied, weights
come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mho.devices import ConstantStep, Faults, catalogue
from mho.errors import ConfigError
from mho.update import ZeroShift
from mho.update.symmetry import symmetry_points
from mho.update.zero_shift import drive_, shift_tile_
from update.arrays import Rates, array, soft

FALSE_ALARM = 1e-6
"""Of one comparison; seeds are fixed, so it fails by a change only."""
Z = stats.norm.isf(FALSE_ALARM / 2)


def check_normal(z, what):
    """Fail when values that should be standard normal have another mean or variance, on either side."""
    z = np.asarray(z, np.float64).ravel()
    assert abs(z.mean()) < Z / z.size**0.5, f"{what}: mean {z.mean():+.4f} of {z.size}, limit {Z / z.size**0.5:.4f}"
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], z.size - 1) / (z.size - 1)
    assert low < z.var(ddof=1) < high, f"{what}: variance {z.var(ddof=1):.4f}, limits {low:.4f} to {high:.4f}"


@pytest.mark.parametrize("pulses", [40, 200, 1000])
def test_pulsed_devices_have_the_mean_and_spread_of_the_law(pulses):
    tile = array(soft(), (100, 120))
    drive_(tile, [pulses])
    mean, sigma = Rates(tile).after(pulses // 2, 0.3)
    # The noise of a step is proportional to it, and steps are those at the symmetry point only near it: before, the
    # formula holds for the mean alone.
    z = (tile.state.double().numpy() - mean) / sigma
    if pulses < 1000:
        assert abs(z.mean()) < Z / z.size**0.5
    else:
        check_normal(z, f"after {pulses} pulses")


def test_the_check_sees_a_residual_that_is_a_twentieth_of_its_spread_off():
    z = np.random.default_rng(0).normal(size=12_000)
    check_normal(z, "right")
    for wrong in (z + 0.05, z - 0.05, 1.05 * z, 0.95 * z):
        with pytest.raises(AssertionError):
            check_normal(wrong, "wrong")


def test_the_last_pulse_goes_down():
    tile = array(soft(c2c=0.0))
    drive_(tile, [4000])
    r = Rates(tile)
    below = r.q * r.step / r.loss  # half a step, about
    np.testing.assert_allclose(tile.state.numpy(), r.point - below, atol=1e-5)
    assert np.quantile(below, 0.01) > 1e-4  # more than the rounding above


def test_the_noise_of_many_pulses_never_repeats():
    """Equal steps up and down, so that only the noise moves a device: its variance grows with the pulses."""
    tile = array(ConstantStep(dw_min=0.001, up_down=1.0, w_max=9.0, w_min=-9.0, c2c=0.3), (20, 30))
    drive_(tile, [4096])  # several times as many as are sent at once
    check_normal(tile.state / (4096**0.5 * 0.3 * 0.001), "random walk")


def test_pulses_are_counted():
    tile = array(soft(), chips=(0, 1))
    report = shift_tile_(tile, ZeroShift(pulses=(6, 2)))
    assert tile.counts.amax((1, 2, 3)).tolist() == tile.counts.amin((1, 2, 3)).tolist() == [6, 2]
    assert tile.totals.tolist() == [6 * 1280, 2 * 1280]
    assert report.pulses.tolist() == [6, 2]


@pytest.mark.parametrize("write", ["ideal", "pulses"])
@pytest.mark.parametrize("gains", [(1.0,), (1.0, 0.5)])
def test_a_chip_gets_the_same_alone_and_among_others_and_again(gains, write):
    method, pulses = ("pulses", "none", "exact", "pulses", "mean"), (60, 60, 60, 1400, 60)
    options = {"gains": gains, "seed": 3}
    device = soft(write_noise=0.5)

    def shifted(chips):
        tile = array(device, (12, 9), chips=chips, **options)
        tile.write_(torch.linspace(-0.1, 0.1, 108).view(1, 12, 9).repeat(len(chips), 1, 1))
        chosen = {"method": tuple(method[c] for c in chips), "pulses": tuple(pulses[c] for c in chips)}
        shift_tile_(tile, ZeroShift(**chosen, read_noise=0.01, copy_error=0.02, write=write))
        return tile

    together = shifted((0, 1, 2, 3, 4))
    for k in range(5):
        alone = shifted((k,))
        for name in ("state", "apparent", "visible", "counts"):
            assert torch.equal(getattr(alone, name)[0], getattr(together, name)[k]), (k, name)
        if k != 1:
            assert torch.equal(alone.reference[0], together.reference[k])
    assert not together.reference[1].any()
    assert together.totals[1] == 0


def test_a_chip_that_is_left_out_keeps_its_devices_bit_for_bit():
    tile = array(soft(write_noise=0.5), chips=(0, 1), gains=(1.0, 1.0))
    drive_(tile, [10, 10])
    before = {name: getattr(tile, name)[1].clone() for name in ("state", "apparent", "combined", "counts")}
    shift_tile_(tile, ZeroShift(("pulses", "none"), 20))
    for name, values in before.items():
        assert torch.equal(getattr(tile, name)[1], values), name
    assert tile.reference[0].any()
    assert not tile.reference[1].any()


def test_another_seed_or_an_earlier_shift_gives_other_noise():
    def reference(seed=0, before=0):
        tile = array(soft(d2d=0.0), seed=seed)
        for _ in range(before + 1):
            shift_tile_(tile, ZeroShift(pulses=400, copy_error=0.01))
        return tile.reference - symmetry_points(tile).points

    first = reference()
    assert torch.equal(first, reference())
    for other in (reference(seed=1), reference(before=1)):
        correlation = np.corrcoef(first.flatten(), other.flatten())[0, 1]
        assert abs(correlation) < Z / first.numel() ** 0.5


def test_references_carry_read_noise_and_copy_error():
    chips, methods = (0, 1, 2, 3), ("pulses", "exact", "exact", "mean")
    tile = array(soft(), (60, 80), chips=chips)
    points = symmetry_points(tile).points
    settings = ZeroShift(methods, 400, read_noise=(0.03, 0.03, 0, 0), copy_error=(0.04, 0.02, 0, 0.02), write="ideal")
    other = array(soft(), (60, 80), chips=chips)
    drive_(other, [400, 0, 0, 0])
    shift_tile_(tile, settings)
    check_normal((tile.reference[0] - other.state[0]) / 0.05, "reading and copying")
    check_normal((tile.reference[1] - points[1]) / 0.02, "nothing is read of exact points")
    assert torch.equal(tile.reference[2], points[2])
    check_normal((tile.reference[3] - points[3].mean()) / 0.02, "the mean, copied to every reference")


def test_what_the_report_says_is_so():
    tile = array(soft(), chips=(0, 1))
    report = shift_tile_(tile, ZeroShift(("exact", "pulses"), 100))
    residual = (tile.reference - symmetry_points(tile).points).double()
    np.testing.assert_allclose(report.residual / report.counted, residual.mean((1, 2, 3)), atol=1e-9)
    np.testing.assert_allclose(report.square / report.counted, residual.square().mean((1, 2, 3)), atol=1e-9)
    low, high = tile.bounds()
    np.testing.assert_allclose(report.low / report.devices, (low - tile.reference).double().mean((1, 2, 3)), atol=1e-9)
    np.testing.assert_allclose(
        report.high / report.devices, (high - tile.reference).double().mean((1, 2, 3)), atol=1e-9
    )
    assert report.residual[0] == 0
    assert -0.25 < report.residual[1] / report.counted[1] < -0.01


@pytest.mark.parametrize("write", ["ideal", "pulses"])
def test_weights_come_back_as_far_as_the_range_left_allows(write):
    tile = array(soft(3.0), chips=(0, 1))
    weights = 0.5 * torch.randn(2, 32, 40, generator=torch.Generator().manual_seed(0))
    tile.write_(weights)
    before = tile.visible.clone()
    report = shift_tile_(tile, ZeroShift("exact", write=write))
    low, high = (b[:, 0] - tile.reference[:, 0] for b in tile.bounds())
    beyond = (before < low) | (before > high)
    np.testing.assert_allclose(report.clipped, beyond.sum((1, 2)))
    assert 0.02 < beyond.float().mean() < 0.4
    error = (tile.visible - before.clamp(low, high)).abs()
    if write == "ideal":
        assert error.max() < 1e-6
        return
    left = ~beyond
    rates = Rates(tile)
    largest = 2.5 * np.maximum(rates.p, rates.q)[:, 0] * (rates.top - rates.bottom)[:, 0]  # a step with its noise
    assert (error.numpy() <= largest)[left.numpy()].mean() > 0.999
    assert report.unreached.sum() <= beyond.sum()
    assert (report.pulses > 1).all()


def test_a_device_that_never_moves_shows_no_weight_against_its_own_conductance():
    tile = array(soft(faults=Faults(stuck=0.2, range=0.3)))
    stuck = tile.frozen.bool()
    shift_tile_(tile, ZeroShift("pulses", 100))
    assert not tile.visible[stuck[:, 0]].any()
    assert tile.state[stuck].any()
    other = array(soft(faults=Faults(stuck=0.2, range=0.3)))
    shift_tile_(other, ZeroShift("exact"))
    assert not other.visible[stuck[:, 0]].any()


def test_backends_drive_alike():
    tiles = [array(soft(), (5, 6), chips=(0, 1)) for _ in range(2)]
    tiles[1].backend = "reference"
    for tile in tiles:
        shift_tile_(tile, ZeroShift(pulses=(20, 8), write="pulses"))
    assert torch.equal(tiles[0].state, tiles[1].state)
    assert torch.equal(tiles[0].reference, tiles[1].reference)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"pulses": 3}, "pairs"),
        ({"pulses": 0}, "pairs"),
        ({"pulses": 2.0}, "pairs"),
        ({"pulses": True}, "pairs"),
        ({"method": "exakt"}, "did you mean 'exact'"),
        ({"method": ("exact", "no")}, "method is one of"),
        ({"read_noise": -0.1}, "read_noise"),
        ({"copy_error": float("nan")}, "copy_error"),
        ({"copy_error": "much"}, "expected a number"),
        ({"write": "fast"}, "write is one of"),
        ({"force": "yes"}, "force"),
    ],
)
def test_impossible_settings_are_refused(settings, found):
    with pytest.raises(ConfigError, match=found):
        ZeroShift(**settings)


def test_lists_of_another_length_are_named():
    with pytest.raises(ConfigError, match=r"method lists 2 values, copy_error lists 3 values, but there are 4 chips"):
        shift_tile_(array(soft(), chips=(0, 1, 2, 3)), ZeroShift(("exact", "none"), copy_error=(0.1, 0.2, 0.3)))


@pytest.mark.parametrize(
    "device", [row.device for row in catalogue.devices()], ids=[r.name for r in catalogue.devices()]
)
def test_every_published_device_can_be_shifted(device):
    tile = array(device, (6, 7), chips=(0, 1))
    report = shift_tile_(tile, ZeroShift(("pulses", "exact"), 400))
    assert np.isfinite([report.residual, report.square, report.pulses]).all()
    assert report.residual[1] == 0
    if (bounds := tile.bounds()) is not None:
        assert (tile.reference[1] >= bounds[0].expand_as(tile.state)[1]).all()
        assert (tile.reference[1] <= bounds[1].expand_as(tile.state)[1]).all()
    assert torch.equal(tile.reference[0], tile.reference[0].nan_to_num(7.0, 7.0, 7.0))
