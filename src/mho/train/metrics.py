"""metrics.jsonl, a line of JSON per epoch, and what a killed process leaves beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError
from mho.folders import write_text
from mho.train.checkpoint import cure

METRICS = "metrics.jsonl"
TEMPORARY = (
    ".config.toml.",
    ".metrics.jsonl.",
    ".summary.json.",
    ".report.html.",
    ".model.safetensors.",
    ".state.json.",
)
"""Beginnings of the names of files that are being written."""


def read_lines(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run directory, none where there is no file; raise CheckpointError for a damaged one."""
    path = run / METRICS
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; {cure(run)}") from error
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
            if not isinstance(line["epoch"], int):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CheckpointError(
                f"{path}, line {number}, is damaged; {cure(run)}, or delete this line to go on without it"
            ) from None
        lines.append(line)
    return lines


def lines_until(run: Path, epoch: int, last: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines up to an epoch; `last` is that of the epoch, as the checkpoint holds it: without its time."""
    lines = [line for line in read_lines(run) if line["epoch"] <= epoch]
    if not lines or lines[-1]["epoch"] < epoch:
        # Killed between checkpoint and line: the checkpoint holds the line, without the time it took.
        lines.append({**last, "seconds": 0.0})
    return lines


def write_lines(run: Path, lines: list[dict[str, Any]]) -> None:
    """Write the lines of a run directory."""
    write_text(run / METRICS, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))


def sweep(*folders: Path) -> None:
    """Remove the temporary files of a process that was killed while it wrote."""
    for folder in folders:
        for path in folder.glob(".*"):
            if path.name.startswith(TEMPORARY):
                path.unlink(missing_ok=True)


def finite(value: Any) -> Any:
    """Return a value for JSON, which has neither NaN nor infinity: null stands for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return value
