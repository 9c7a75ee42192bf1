"""Whether all ranks mean the same: settings, data, and the chips that they hold."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mho.errors import RankError
from mho.nn.ranks import Ranks

LONGEST = 160
"""Characters of a value that a message shows."""


def agree(ranks: Ranks, what: str, said: Mapping[str, Any], cure: str) -> None:
    """Raise RankError, on every rank the same, unless all ranks said the same; `cure`: what to do about it."""
    each = ranks.objects({name: str(value) for name, value in said.items()})
    for rank, theirs in enumerate(each):
        names = [n for n in dict.fromkeys([*each[0], *theirs]) if each[0].get(n) != theirs.get(n)]
        if names:
            first, more = names[0], f", and {len(names) - 1} more differ" if names[1:] else ""
            ours, other = (_short(one.get(first)) for one in (each[0], theirs))
            raise RankError(
                f"all ranks train one model, so they must agree in {what}, but {first} is {ours} on rank 0 and {other} "
                f"on rank {rank}{more}; {cure}"
            )


def check(model: nn.Module, ranks: Ranks) -> None:
    """Raise RankError, naming what differs, unless all ranks hold the same chips and digital parameters.

    How often each rank evaluated is not looked at.
    """
    state = {name: _mark(value) for name, value in model.state_dict().items() if not name.endswith(".clock")}
    agree(
        ranks, "the state of the model", state,
        "let every rank build and load the same (torch.manual_seed before the network is made), and step all parameters"
        " by mho.optim",
    )  # fmt: skip


def _mark(value: Any) -> str:
    if not isinstance(value, Tensor):
        return str(value)
    whole = value.detach().cpu().contiguous().reshape(-1)
    return f"{tuple(value.shape)} {value.dtype} with checksum {zlib.crc32(whole.numpy().tobytes()):08x}"


def _short(value: str | None) -> str:
    if value is None:
        return "missing"
    line = " ".join(value.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
