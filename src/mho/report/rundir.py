"""Reading a run directory: configuration, metrics, summary and checkpoint, each checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mho.config import RunConfig, load
from mho.errors import CheckpointError

MODEL = Path("checkpoint", "model.safetensors")


@dataclass(frozen=True)
class Run:
    """What the files of a run directory say. `summary` is empty for a run that has not finished."""

    folder: Path
    config: RunConfig
    metrics: tuple[dict[str, Any], ...]
    summary: dict[str, Any]

    @property
    def model(self) -> Path:
        """Where the weights and conductances are."""
        return self.folder / MODEL


def read_run(folder: Path) -> Run:
    """Return the run in a folder; raises CheckpointError or ConfigError naming the file that is at fault."""
    if not folder.is_dir():
        raise CheckpointError(f"no run directory {folder}; give the folder that `mho train --out DIR` wrote")
    config, model = folder / "config.toml", folder / MODEL
    if not config.is_file():
        raise CheckpointError(
            f"{folder} has no config.toml, so it is no run directory; give the folder that `mho train --out DIR` wrote"
        )
    run = Run(folder, load(config), _metrics(folder), _summary(folder))
    if not model.is_file():
        raise CheckpointError(
            f"{model} is missing, so there are no conductances to report; "
            f"the run stopped before its first checkpoint: mho train --resume {folder}"
        )
    return run


def _metrics(folder: Path) -> tuple[dict[str, Any], ...]:
    """Return the lines of metrics.jsonl: one JSON object with an epoch each."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: no epoch was completed; go on with mho train --resume {folder}")
    lines = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad_line(path, number, f"is not JSON ({error})", folder) from error
        if not (isinstance(found, dict) and _is_number(found.get("epoch"))):
            raise _bad_line(path, number, 'is not a JSON object with a number "epoch"', folder)
        lines.append(found)
    return tuple(lines)


def _bad_line(path: Path, number: int, what: str, folder: Path) -> CheckpointError:
    return CheckpointError(
        f"{path}, line {number}: {what}; delete the line, or go on with mho train --resume {folder}, "
        "which keeps the epochs of the checkpoint only"
    )


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    if not path.exists():
        return {}
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not JSON ({error}); delete it for a report without it, or go on with "
            f"mho train --resume {folder}, which writes it again"
        ) from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} holds a {type(found).__name__}, expected a JSON object; delete it or run again")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeError) else error.strerror or error
        raise CheckpointError(f"{path} cannot be read: {reason}; restore it, or run again") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers_in(value: Any) -> list[float]:
    """Return a number, or the numbers of a list, as floats: None becomes NaN, anything else gives nothing."""
    values = value if isinstance(value, list) else [value]
    if value is None or not all(v is None or _is_number(v) for v in values):
        return []
    return [float("nan") if v is None else float(v) for v in values]


class Arrays:
    """The arrays of a checkpoint, read when they are needed: many chips do not fill the memory."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self.path = path
        self._file = self._checked(lambda: safe_open(path, framework="np"))
        self.names = tuple(self._file.keys())

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array without reading it."""
        return tuple(self._file.get_slice(name).get_shape())

    def read(self, name: str, dimensions: int | None = None) -> np.ndarray:
        """Return an array; raises CheckpointError where it is unreadable, not finite or misshapen."""
        array: np.ndarray = self._checked(lambda: self._file.get_tensor(name))
        if dimensions is not None and array.ndim != dimensions:
            raise CheckpointError(
                f"{self.path}: {name} has shape {array.shape}, expected {dimensions} dimensions; "
                "the file was not written by this version of mho: run again"
            )
        if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.float64)):
            raise CheckpointError(f"{self.path}: {name} holds NaN or infinity; the file is damaged: run again")
        return array

    def _checked(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:  # safetensors raises errors of its own, KeyError and OSError
            raise CheckpointError(
                f"{self.path} cannot be read ({error}); it is damaged or cut short: restore it, or run again"
            ) from error
