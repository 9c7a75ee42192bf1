"""The run directory: config.toml, metrics.jsonl, checkpoint/, summary.json, report.html."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from mho.config import RunConfig, dump, load
from mho.errors import CheckpointError, ConfigError
from mho.folders import check_writable, write_text
from mho.train.checkpoint import cure, load_tensors, read_checkpoint, save_checkpoint
from mho.train.loop import Trainer
from mho.train.metrics import finite, lines_until, read_lines, sweep, write_lines

FREE_ON_RESUME = ("epochs", "threads", "compute_device", "precision", "cuda_graphs")
"""Settings that a resumed run may change."""


def new_folder(config: RunConfig, root: Path = Path("runs")) -> Path:
    """Return a name for the directory of a new run that no directory has yet."""
    words = (
        Path(config.network.rpartition(":")[0] or config.network).stem,
        Path(config.data).stem,
        config.preset,
    )
    stem = "-".join(words) + time.strftime("-%Y%m%d-%H%M%S")
    names = (stem if n == 0 else f"{stem}-{n}" for n in range(1000))
    return next(root / name for name in names if not (root / name).exists())


class RunFolder:
    """The directory of one run. `lines` holds the metrics of its complete epochs."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoint = path, path / "checkpoint"
        self.lines: list[dict[str, Any]] = []

    def check_new(self) -> None:
        """Raise ConfigError unless the directory is empty or does not exist, and can be written."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigError(
                f"{self.path} is not an empty directory, and a run does not write over anything; give "
                f"another --out, or go on with the run in it: mho train --resume {self.path}"
            )
        check_writable(self.path)

    def begin(self, config: RunConfig) -> None:
        """Make the directory and write its configuration."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "config.toml", dump(config))

    def read_config(self, config: RunConfig | None = None) -> RunConfig:
        """Return the configuration to resume with: the saved one, or `config` if only what may differs."""
        path = self.path / "config.toml"
        if not path.is_file():
            raise CheckpointError(f"{self.path} holds no run to resume: there is no config.toml; check the path")
        saved = load(path)
        if config is None or config == saved:
            return saved
        free = {name: getattr(config, name) for name in FREE_ON_RESUME}
        if saved.with_(free) != config:
            raise ConfigError(
                f"a resumed run keeps its settings (only {', '.join(FREE_ON_RESUME)} may change), but the "
                f"configuration given is not that of {self.path}; leave it out, or start a new run"
            )
        return config

    def restore(self, trainer: Trainer) -> None:
        """Put a trainer where the last checkpoint was, if there is one; drop metrics beyond it."""
        sweep(self.path, self.checkpoint)
        found = read_checkpoint(self.checkpoint)
        if found is None:
            if lines := read_lines(self.path):
                raise CheckpointError(
                    f"{self.checkpoint} is missing, though metrics.jsonl tells of {len(lines)} epochs; "
                    f"{cure(self.path)}"
                )
        else:
            state, tensors = found
            if state["epoch"] > trainer.config.epochs:
                raise ConfigError(
                    f"the run in {self.path} has done {state['epoch']} epochs, and cannot be resumed to end at "
                    f"{trainer.config.epochs}; give at least --epochs {state['epoch']}, or start a new run: "
                    f"mho train {self.path / 'config.toml'} --epochs {trainer.config.epochs} --out NEW"
                )
            load_tensors(trainer.model, tensors, self.checkpoint)
            trainer.epoch, trainer.step = state["epoch"], state["step"]
            trainer.shifted = state.get("zero_shift")
            self.lines = lines_until(self.path, trainer.epoch, state["metrics"])
        write_lines(self.path, self.lines)

    def save(self, trainer: Trainer, line: dict[str, Any]) -> None:
        """Write a checkpoint, and only when it is complete the line of its epoch."""
        line = finite(line)
        metrics = {key: value for key, value in line.items() if key != "seconds"}
        state = {
            "epoch": trainer.epoch,
            "step": trainer.step,
            "optimizer": {"lr": line["lr"]},
            "metrics": metrics,
            **({} if trainer.shifted is None else {"zero_shift": trainer.shifted}),
        }
        save_checkpoint(self.checkpoint, trainer.model.state_dict(), state)
        self.lines.append(line)
        write_lines(self.path, self.lines)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json."""
        write_text(self.path / "summary.json", json.dumps(finite(summary), indent=2, allow_nan=False) + "\n")
