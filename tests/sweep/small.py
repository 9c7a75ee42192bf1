"""A sweep that takes seconds: built-in digits, few images, and how it is run and told from another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mho.sweep import Sweep, loads

TEXT = """
name = "small"
preset = "gokmen-vlasov-2016"
seeds = {seeds}
max_chips = {max_chips}
[set]
data = "digits"
epochs = {epochs}
train_images = {images}
threads = 1
[[grid]]
name = "map"
[grid.axes]
"device.up_down" = [1.0, 1.02]
"device.dw_min" = {{ from = 0.001, to = 0.01, points = 3, scale = "log" }}
[[grid]]
name = "rate"
axes.lr = [0.01, -1.0, 0.02]
"""
"""Nine points, of which one cannot be, since a learning rate is above 0."""


def text(seeds: int = 2, max_chips: int = 8, epochs: int = 1, images: int = 60) -> str:
    return TEXT.format(seeds=seeds, max_chips=max_chips, epochs=epochs, images=images)


def small(**settings: int) -> Sweep:
    return loads(text(**settings))


def begin(folder: Path, out: Path, *options: str, **settings: int) -> subprocess.Popen[str]:
    """Start this sweep as a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.toml").write_text(text(**settings), encoding="utf-8")
    return start(folder / "sweep.toml", "--out", out, "--plain", *options)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start `mho sweep` with arguments of its command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "mho", "sweep", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def results(out: Path) -> tuple[bytes, bytes]:
    """Return the bytes of the table, as Parquet and as CSV."""
    return (out / "table.parquet").read_bytes(), (out / "table.csv").read_bytes()
