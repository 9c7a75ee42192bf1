"""What a digital training keeps on disk: model and optimizer in one checkpoint, a line per epoch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mho.errors import CheckpointError, ConfigError
from mho.folders import check_writable
from mho.train.checkpoint import load_tensors, read_checkpoint, save_checkpoint
from mho.train.metrics import finite, lines_until, read_lines, sweep, write_lines

OPTIMIZER = "optimizer//"
"""Before the names of the optimizer's tensors: no module has such a name."""


@dataclass
class Run:
    """A model in training, between two epochs; `settings` are what must be the same when the run goes on."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    settings: dict[str, Any]
    epoch: int = 0
    step: int = 0


class DigitalFolder:
    """The directory of one digital training: metrics.jsonl and checkpoint/."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoint = path, path / "checkpoint"
        self.lines: list[dict[str, Any]] = []

    def begin(self, run: Run, epochs: int, *, resume: bool) -> list[dict[str, Any]]:
        """Put the run where the last checkpoint was, if there is one; return the lines so far."""
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path} is no directory; give another one as out")
        found = read_checkpoint(self.checkpoint)
        if found is not None and not resume:
            raise ConfigError(
                f"{self.path} holds a run of {found[0]['epoch']} epochs, and resume=False begins a new one; give "
                "another directory as out, or resume=True to go on"
            )
        check_writable(self.path)
        sweep(self.path, self.checkpoint)
        if found is not None:
            state, tensors = found
            self._check(state, run, epochs)
            self._restore(state, tensors, run)
            self.lines = lines_until(self.path, run.epoch, state["metrics"])
            write_lines(self.path, self.lines)
        elif lines := read_lines(self.path):
            raise CheckpointError(
                f"{self.checkpoint} is missing, though metrics.jsonl tells of {len(lines)} epochs; restore it from a "
                f"copy, or delete {self.path} to begin again"
            )
        return list(self.lines)

    def _check(self, state: dict[str, Any], run: Run, epochs: int) -> None:
        if state["epoch"] > epochs:
            raise ConfigError(
                f"the run in {self.path} has done {state['epoch']} epochs, and cannot go on to end at {epochs}; give "
                f"epochs={state['epoch']} or more, or another directory as out"
            )
        ours, theirs = json.loads(json.dumps(run.settings)), state.get("settings")
        if not isinstance(theirs, dict):
            raise ConfigError(f"{self.path} holds a run of mho train, not of a plain torch model; give another out")
        if different := sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)):
            told = "; ".join(f"{k}: {theirs.get(k)} there, {ours.get(k)} now" for k in different)
            raise ConfigError(
                f"{self.path} holds a run with other settings ({told}), and a run keeps its settings; give the same "
                "ones, or another directory as out"
            )

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor], run: Run) -> None:
        weights = {name: value for name, value in tensors.items() if not name.startswith(OPTIMIZER)}
        load_tensors(run.model, weights, self.checkpoint)
        slots: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in state["optimizer"].items()}
        for name in tensors.keys() - weights.keys():
            index, _, key = name.removeprefix(OPTIMIZER).partition("/")
            slots.setdefault(int(index), {})[key] = tensors[name]
        groups = run.optimizer.state_dict()["param_groups"]
        run.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        run.epoch, run.step = state["epoch"], state["step"]

    def save(self, run: Run, line: dict[str, Any]) -> dict[str, Any]:
        """Write a checkpoint, and only when it is complete the line of its epoch; return the line as written."""
        line = finite(line)
        tensors = {name: _tensor(name, value) for name, value in run.model.state_dict().items()}
        plain: dict[int, dict[str, Any]] = {}
        for index, slot in run.optimizer.state_dict()["state"].items():
            plain[index] = {}
            for key, value in slot.items():
                if isinstance(value, Tensor):
                    tensors[f"{OPTIMIZER}{index}/{key}"] = value.cpu()
                else:
                    plain[index][key] = _scalar(value, run.optimizer, key)
        state = {
            "epoch": run.epoch, "step": run.step, "optimizer": plain, "settings": run.settings,
            "metrics": {key: value for key, value in line.items() if key != "seconds"},
        }  # fmt: skip
        save_checkpoint(self.checkpoint, tensors, state)
        self.lines.append(line)
        write_lines(self.path, self.lines)
        return line


def _tensor(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise CheckpointError(
            f"{name} of the model's state is {type(value).__name__}, and a checkpoint holds tensors only; let "
            "get_extra_state return a tensor"
        )
    return value.cpu()


def _scalar(value: Any, optimizer: torch.optim.Optimizer, key: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(
        f"{type(optimizer).__name__} keeps {key} as {type(value).__name__}, and a checkpoint holds tensors and numbers "
        "only; take another optimizer, or no out"
    )
