"""A study on little data: digits enlarged to MNIST's size, which both networks fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.fakes import idx_bytes
from mho.data import load
from mho.data.catalogue import IDX_STEMS

TRAIN, TEST = 96, 60


def enlarged_digits(folder: Path) -> Path:
    """Write digits of 24x24 pixels as four IDX files."""
    digits = load("digits")
    parts = {
        "train": (digits.train_images[:TRAIN], digits.train_labels[:TRAIN]),
        "t10k": (digits.test_images[:TEST], digits.test_labels[:TEST]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for stem in IDX_STEMS:
        images, labels = parts[stem.partition("-")[0]]
        big = np.kron(images[:, 0] * (255 // digits.scale), np.ones((1, 3, 3), np.uint8))
        (folder / stem).write_bytes(idx_bytes(big if "images" in stem else labels))
    return folder


def settings(data: object, **more: object) -> list[str]:
    """Return the settings of a study of seconds."""
    named = {"data": f'"{data}"', "epochs": 1, "chips": 2, "batch_size": 8, "threads": 1, **more}
    return [f"{name}={value}" for name, value in named.items()]
