"""The networks that papers use: sizes that are published, any width, images that they cannot take."""

from __future__ import annotations

import pytest
import torch

import mho
from mho.config import preset
from mho.errors import ConfigError
from mho.train import make_network
from mho.train.networks import NETWORKS

IMAGE = {"vgg-16": (3, 32, 32), "resnet-18": (3, 32, 32)}


@pytest.mark.parametrize(
    ("name", "shape", "count"),
    [
        ("lenet-5", (1, 28, 28), 61_706),
        ("vgg-16", (3, 32, 32), 15_253_578),
        ("resnet-18", (3, 32, 32), 11_173_962),
        ("fcn-250-125", (1, 22, 24), 164_885),
    ],
)
def test_networks_have_the_published_number_of_weights(name: str, shape: tuple[int, int, int], count: int) -> None:
    assert sum(p.numel() for p in make_network(name, shape, 10).parameters()) == count


@pytest.mark.parametrize("name", [*(n for n in NETWORKS if n not in IMAGE), "vgg-16-w8", "resnet-18-w8"])
def test_every_network_runs_on_chips_as_it_does_in_torch(name: str) -> None:
    shape = IMAGE.get(name[: name.rfind("-w")] if "-w" in name else name, (1, 28, 28))
    network = make_network(name, shape, 7, seed=3).eval()
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    expected = network(x)
    assert expected.shape == (2, 7)
    model = mho.convert_to_analog(network, preset("ideal"), chips=2, trained=True).eval()
    found = mho.per_chip(model(mho.spread(x, 2)), 2)
    for chip in found:
        torch.testing.assert_close(chip, expected, rtol=1e-3, atol=1e-4)


def test_a_width_is_part_of_the_name() -> None:
    narrow = make_network("vgg-16-w4", (3, 32, 32), 10)
    assert narrow.conv1_1.out_channels == 4
    assert narrow.fc1.in_features == narrow.fc1.out_features == 32
    assert make_network("resnet-18-w4", (1, 28, 28), 10).block4_2.conv2.out_channels == 32
    for bad in ("vgg-16-w0", "vgg-16-w", "lenet-w8", "vgg-1"):
        with pytest.raises(ConfigError, match="there is no network"):
            make_network(bad, (3, 32, 32), 10)


@pytest.mark.parametrize(("name", "size"), [("vgg-16", 28), ("lenet-5", 11), ("lenet", 15)])
def test_images_that_are_too_small_are_refused(name: str, size: int) -> None:
    with pytest.raises(ConfigError, match=f"{name!r} was asked for on images of {size}x{size}, .* need at least"):
        make_network(name, (1, size, size), 10)
    assert make_network("lenet-5", (1, 12, 12), 10)(torch.zeros(1, 1, 12, 12)).shape == (1, 10)
