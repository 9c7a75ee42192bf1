"""Running averages measured again on chips: what they are, whose they are, and that a failure changes none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import mho
from inference.programmed_models import EXACT
from mho.errors import ConfigError, NotFiniteError, ShapeError
from mho.inference import program, recalibrate_batchnorm
from mho.inference.errors import WriteError
from mho.inference.settings import Programming
from mho.nn.batchnorm import L1BatchNorm2d

IMAGES = torch.rand(24, 2, 6, 6, generator=torch.Generator().manual_seed(2))


def model(norm: type[nn.Module] = nn.BatchNorm2d, chips: int | list[int] = 3) -> nn.Module:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), norm(4), nn.ReLU(), nn.Conv2d(4, 3, 3), norm(3), nn.Flatten())
    made = mho.convert_to_analog(net, EXACT, chips=chips, seed=7, trained=True).eval()
    program(made, Programming(error=WriteError("additive", c2c=0.1)))
    return made


def averages(made: nn.Module) -> dict[str, torch.Tensor]:
    return {name: b.clone() for name, b in made.named_buffers() if "running" in name}


def test_averages_are_those_of_all_images_on_every_chip() -> None:
    made = model()
    assert recalibrate_batchnorm(made, IMAGES, batch_size=24) == 6  # two layers on three chips
    first, norm = made[0](mho.spread(IMAGES, 3)), made[1]
    for chip, one in enumerate(norm.copies):
        own = mho.per_chip(first, 3)[chip]
        torch.testing.assert_close(one.running_mean, own.mean((0, 2, 3)))
        torch.testing.assert_close(one.running_var, own.var((0, 2, 3)))
    assert not torch.equal(norm.copies[0].running_mean, norm.copies[1].running_mean)
    second = mho.per_chip(made[:4](mho.spread(IMAGES, 3)), 3)  # behind the first layer's new averages
    # Normalised by the batch's own variance, of which the average that is kept is n / (n - 1) times: 1 in 383 here.
    torch.testing.assert_close(made[4].copies[2].running_mean, second[2].mean((0, 2, 3)), rtol=5e-3, atol=0)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, L1BatchNorm2d])
def test_batches_count_by_their_images(norm: type[nn.Module]) -> None:
    made = model(norm)
    recalibrate_batchnorm(made, IMAGES, batch_size=20)  # of 20 images and 4
    first = mho.per_chip(made[0](mho.spread(IMAGES, 3)), 3)
    torch.testing.assert_close(made[1].copies[1].running_mean, first[1].mean((0, 2, 3)))


def test_a_chip_alone_has_what_it_has_among_others() -> None:
    many, alone = model(), model(chips=[2, 5])
    for made in (many, alone):
        recalibrate_batchnorm(made, IMAGES, batch_size=8)
    torch.testing.assert_close(many[4].copies[2].running_var, alone[4].copies[0].running_var)


def test_modes_momenta_and_weights_are_as_before() -> None:
    made = model().train()
    made[1].eval()
    kept = {name: p.clone() for name, p in made.named_parameters()}
    recalibrate_batchnorm(made, IMAGES, batch_size=8)
    assert not made[1].training
    assert made[4].copies[0].training
    assert made[4].copies[0].momentum == 0.1
    assert all(torch.equal(p, kept[name]) for name, p in made.named_parameters())


def test_a_failure_changes_no_average() -> None:
    made = model()
    before = averages(made)
    with pytest.raises(NotFiniteError, match="calibration images hold NaN"):
        recalibrate_batchnorm(made, IMAGES * float("nan"))
    with pytest.raises(ShapeError):
        recalibrate_batchnorm(made, torch.rand(4, 5, 6, 6))
    with pytest.raises(ConfigError, match="24 images in batches of 23 leave a batch of a single image"):
        recalibrate_batchnorm(made, IMAGES, batch_size=23)
    with pytest.raises(NotFiniteError, match="measured NaN or infinity"):
        recalibrate_batchnorm(made, 1e30 * IMAGES, batch_size=8)
    assert all(torch.equal(value, before[name]) for name, value in averages(made).items())
    assert made[1].copies[0].momentum == 0.1


def test_a_model_without_batchnorm_is_refused() -> None:
    plain = mho.convert_to_analog(nn.Sequential(nn.Linear(4, 2)), EXACT, trained=True)
    with pytest.raises(ConfigError, match="has no BatchNorm that keeps running averages"):
        recalibrate_batchnorm(plain, torch.rand(8, 4))
