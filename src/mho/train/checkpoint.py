"""Checkpoints: one safetensors file that also holds, as JSON in its header, where the run is and a checksum.

No pickles, so opening one runs no code. The file is replaced as a whole, so at any moment it is complete.
`state.json` beside it repeats what the header says, for people and other programs. The same run makes the
same bytes: no times, and everything in a fixed order.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as render_tensors
from torch import Tensor, nn

from mho.errors import CheckpointError
from mho.folders import replacing, write_text

MODEL, STATE = "model.safetensors", "state.json"
FORMAT = 2
KEY = "mho"
DRAWN = re.compile(r"(.*\.)?(cell_\w+|keep|reset|frozen|fixed)")
"""Names of tensors drawn once from the seed: in a checkpoint they must be the same."""


def cure(run: Path) -> str:
    """Return what can be done about a damaged file of a run directory."""
    again = f"start the run again with mho train {run / 'config.toml'} --out NEW"
    return f"restore it from a copy, or {again if _is_cli(run) else f'delete {run} to begin again'}"


def _is_cli(run: Path) -> bool:
    """Return whether a directory is one of `mho train`, or of `mho.train.digital.fit`, which has no configuration."""
    return (run / "config.toml").exists()


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors with a `state`, which holds at least `epoch`, `step` and `metrics`."""
    header, data = _split(render_tensors(_apart(tensors)))
    state = {"format": FORMAT, **state}
    state["sha256"] = _checksum(header, state, data)
    head = json.dumps({"__metadata__": {KEY: json.dumps(state)}, **header}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with replacing(folder / MODEL) as temporary, temporary.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    write_text(folder / STATE, json.dumps(state, indent=1) + "\n")


def _checksum(header: dict[str, Any], state: dict[str, Any], data: memoryview) -> str:
    """Return the SHA-256 of all that a checkpoint says: names and shapes, state, numbers."""
    said = json.dumps([header, {k: v for k, v in state.items() if k != "sha256"}], sort_keys=True)
    digest = hashlib.sha256(said.encode())
    digest.update(data)
    return digest.hexdigest()


def _split(file: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the header of a safetensors file and what follows; raise ValueError when it is cut short."""
    size = int.from_bytes(file[:8], "little")
    if len(file) < 8 + size or size == 0:
        raise ValueError(f"its header is cut short at {len(file)} bytes")
    header = json.loads(file[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header, memoryview(file)[8 + size :]


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU that share no memory, as safetensors wants them."""
    seen: set[int] = set()
    found = {}
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        storage = value.untyped_storage()
        if value.numel() and (storage.data_ptr() in seen or storage.nbytes() != value.nbytes):
            value = value.clone()
        seen.add(storage.data_ptr())
        found[name] = value
    return found


def read_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return the state and the tensors of a checkpoint, or None when none was ever written.

    Raises CheckpointError, naming the file, when it is unreadable, cut short, changed, or not ours.
    """
    path = folder / MODEL
    try:
        file = path.read_bytes()
    except FileNotFoundError:
        if (folder / STATE).exists():
            raise CheckpointError(f"{path} is missing, though {STATE} is there; {cure(folder.parent)}") from None
        return None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; {cure(folder.parent)}") from error
    try:
        header, data = _split(file)
        state = _checked(json.loads(header.pop("__metadata__")[KEY]))
        if _checksum(header, state, data) != state["sha256"]:
            raise ValueError("its checksum is wrong")
        tensors = parse_tensors(file)
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); {cure(folder.parent)}") from error
    _check_copy(folder / STATE)
    return state, tensors


def _checked(state: Any) -> dict[str, Any]:
    numbers = (state["format"], state["epoch"], state["step"])
    if not all(isinstance(n, int) for n in numbers) or not isinstance(state["metrics"], dict):
        raise TypeError("its state is incomplete")
    if state["format"] != FORMAT:
        raise ValueError(f"it has format {state['format']}, and this version of mho reads {FORMAT}")
    return state


def _check_copy(path: Path) -> None:
    """Raise CheckpointError when the copy of the state is damaged; it may be missing, or an epoch behind."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}), and perhaps more is; if you trust {MODEL} beside it, delete "
            f"{path}, which only repeats what is in there"
        ) from error


def load_tensors(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Put tensors into a model.

    Raises CheckpointError naming the layers where they do not fit, before any is changed.
    """
    own = model.state_dict()
    problems: dict[str, list[str]] = {}
    for name in sorted(own.keys() | tensors.keys(), key=lambda n: (not n.endswith("state"), n)):
        if wrong := _misfit(name, own.get(name), tensors.get(name)):
            layer = name.partition(".grids.")[0] if ".grids." in name else name.rpartition(".")[0]
            problems.setdefault(layer, []).append(f"{name} {wrong}")
    if problems:
        told = [texts[0] + (f", and {len(texts) - 1} more" if texts[1:] else "") for texts in problems.values()]
        raise CheckpointError(
            f"the checkpoint in {path} does not fit the configuration in the layers {', '.join(problems)}: "
            f"{'; '.join(told)}. {_put_back(path.parent)}"
        )
    model.load_state_dict(tensors)


def _put_back(run: Path) -> str:
    if _is_cli(run):
        return f"Put config.toml back to what it was, or start a new run: mho train {run / 'config.toml'} --out NEW"
    return f"Give the model that it was trained with, or another directory than {run}"


def _misfit(name: str, ours: Tensor | None, theirs: Tensor | None) -> str:
    """Return why a tensor of a checkpoint cannot take the place of the model's, or nothing if it can."""
    if theirs is None:
        return "is not in the checkpoint"
    if ours is None:
        return "is in the checkpoint only"
    if ours.shape != theirs.shape:
        return f"has shape {tuple(theirs.shape)}, expected {tuple(ours.shape)}"
    if DRAWN.fullmatch(name) and not _close(ours, theirs):
        return "holds other devices than the seed and the device of the configuration give"
    return ""


def _close(a: Tensor, b: Tensor) -> bool:
    """Return whether drawn values are equal up to the rounding of another machine, on which device they may lie."""
    return bool(torch.allclose(a.cpu().double(), b.cpu().double(), rtol=1e-4, atol=1e-7))
