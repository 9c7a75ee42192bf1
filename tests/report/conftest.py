"""A small run directory, trained for real on a few digits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mho.config import RunConfig
from mho.data import load
from mho.train import train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two epochs on two chips; a layer is split both ways, with two devices and a scale; another learns
    a factor for every tile."""
    folder = tmp_path_factory.mktemp("report") / "run"
    split = {
        "mapping.max_rows": 100,
        "mapping.max_columns": 40,
        "cell.devices": 2,
        "mapping.scaling": "output",
    }
    learned = {"mapping.max_rows": 50, "mapping.max_columns": 130, "mapping.learn_scale": True}
    config = RunConfig(data="digits", preset="gokmen-2017").with_(
        {"epochs": 2, "chips": 2, "threads": 1, "train_images": 60, "layers": {"fc1": split, "fc2": learned}}
    )
    torch.manual_seed(0)
    train(config, out=folder, progress=False, data=load("digits"))
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may damage."""
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    (copy / "report.html").unlink()
    return copy
