"""A window of another data set's images: which pixels it keeps, and that it needs images large enough."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.fakes import write_files
from mho.data import load
from mho.errors import DataError
from mho.folders import cache_root
from mho.train import make_network


def test_a_window_keeps_its_pixels_and_all_labels() -> None:
    digits = load("digits")
    part = digits.window((1, 7), (3, 5), name="middle")
    assert (part.name, part.shape, part.scale) == ("middle", (1, 6, 2), digits.scale)
    assert torch.equal(part.train_x, digits.train_x[:, :, 1:7, 3:5])
    assert torch.equal(part.test_x, digits.test_x[:, :, 1:7, 3:5])
    assert torch.equal(part.test_y, digits.test_y)
    assert part.checksums == digits.checksums


def test_a_window_beyond_the_images_is_refused(room: Path, monkeypatch: pytest.MonkeyPatch, files: dict) -> None:
    monkeypatch.setenv("MHO_DATA", str(write_files(room / "mine" / "mnist", files).parent))
    assert load("mnist").shape == (1, 4, 5)
    with pytest.raises(DataError, match=r"rows 2 to 25 and columns 3 to 24, but the images of mnist have 4x5 pixels"):
        load("mnist-22x24")


def test_the_window_of_mnist_has_528_pixels_and_nearly_all_ink() -> None:
    if not (cache_root() / "mnist" / "train-images-idx3-ubyte").exists():
        pytest.skip("mnist is not cached; run scripts/fetch_test_data.py")
    whole, part = load("mnist"), load("mnist-22x24")
    assert part.shape == (1, 24, 22)
    assert (part.train_images == whole.train_images[:, :, 2:26, 3:25]).all()
    left = 1 - int(part.train_images.sum(dtype=int)) / int(whole.train_images.sum(dtype=int))
    assert left == pytest.approx(0.0033, abs=0.0001)
    network = make_network("fcn-250-125", part.shape, len(part.classes))
    assert sum(p.numel() for p in network.parameters()) == 164_885
