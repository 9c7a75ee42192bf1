"""The processes that train one model together: which samples this one has, and tensors of all of them put together.

A *rank* is one of these processes, or its number. All of them hold the same chips; each computes the products of its
part of every batch, and every one moves its devices by the samples of all, in the order of one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mho.errors import RankError, ShapeError

FAILED = "mho/failed"
"""Under this key of torch's store a rank that gives up leaves its reason for the others."""


class Ranks:
    """What one process knows of all: its number `rank` of `size`, and its part of the current batch.

    part: (first, count, whole), samples of each chip; None: every rank has as many, in the order of the ranks.
    averaged: digital gradients come averaged over the ranks, from torch's DistributedDataParallel. All methods are
    called by every rank in the same order; they raise RankError when another one is gone or does not answer. torch's
    default group is used each time and not kept: what holds a group when a program ends makes gloo abort it.
    """

    def __init__(self, rank: int, size: int, *, averaged: bool = False) -> None:
        self.rank, self.size, self.averaged = rank, size, averaged
        self.part: tuple[int, int, int] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Ranks:
        return self

    def __reduce__(self) -> Any:
        return (_alone, ())  # what is loaded from a file has no other processes

    @property
    def even(self) -> bool:
        """Whether every rank is known to have as many samples of this batch."""
        return self.part is not None and self.part[2] % self.size == 0

    def bounds(self, samples: int) -> list[int]:
        """Return where the parts of all ranks begin among samples, and where the last one ends."""
        return [samples * rank // self.size for rank in range(self.size + 1)]

    def take(self, samples: int) -> slice:
        """Share a batch among the ranks; return this one's part."""
        first, last = self.bounds(samples)[self.rank : self.rank + 2]
        self.part = (first, last - first, samples)
        return slice(first, last)

    def first(self, count: int) -> int:
        """Return the place in the whole batch of the first of this rank's `count` samples, or vectors of samples."""
        if self.part is None:
            return self.rank * count
        first, own, _ = self.part
        return first * (count // own) if own else 0

    def whole(self, count: int) -> int:
        """Return how many samples all ranks have where this one has `count`."""
        return self.size * count if self.part is None else self.part[2]

    def collect(self, values: Tensor, counts: list[int] | None = None) -> list[Tensor]:
        """Return the values (count, ...) of every rank; counts: how many each has, asked where they are not given."""
        check_place(values.device)
        values = values.detach().contiguous()
        if counts is None:
            counts = [len(values)] * self.size if self.even else self.numbers(len(values))
        most = max(counts)
        if len(values) < most:
            values = torch.cat((values, values.new_zeros(most - len(values), *values.shape[1:])))
        found = [torch.empty_like(values) for _ in range(self.size)]
        if values.numel():
            with self.answering():
                dist.all_gather(found, values)
        return [one[:count] for one, count in zip(found, counts, strict=True)]

    def numbers(self, number: int) -> list[int]:
        """Return a whole number of every rank."""
        return [int(one) for one in self.collect(torch.tensor([number]), [1] * self.size)]

    def joined(self, values: Tensor, dim: int) -> Tensor:
        """Return the values of all ranks in their order along a dimension; without gradients."""
        return torch.cat(self.collect(values.movedim(dim, 0))).movedim(0, dim)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over ranks of tensors of one shape, added in their order; without gradients."""
        counts = [len(values.reshape(-1))] * self.size
        return reduce(torch.add, self.collect(values.reshape(-1), counts)).view(values.shape)

    def objects(self, value: Any) -> list[Any]:
        """Return what every rank gave, anything that can be pickled."""
        found = [None] * self.size
        with self.answering():
            dist.all_gather_object(found, value)
        return found

    def from_first(self, value: Any) -> Any:
        """Return what the first rank gave."""
        held = [value]
        with self.answering():
            dist.broadcast_object_list(held, src=0)
        return held[0]

    def announce(self, error: BaseException) -> None:
        """Leave the others a reason why this rank ends; they find out when it no longer answers."""
        if (store := _store()) is not None:
            with _quiet():
                store.set(FAILED, f"rank {self.rank}: {error}")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what torch raises when a rank is gone or silent into a RankError with the reason that it left."""
        try:
            yield
        except RuntimeError as error:
            reason, store = "", _store()
            with _quiet():
                if store is not None and store.check([FAILED]):
                    reason = store.get(FAILED).decode()
            raise RankError(_gone(self, reason, error)) from error


def check_place(device: torch.device) -> None:
    """Raise RankError for a device whose tensors ranks cannot exchange."""
    if device.type == "cuda":
        raise RankError(
            f"several processes train one model together, and its tensors are on {device}, but they exchange samples "
            "on the CPU only in this version; use model.to('cpu') on every rank, or train on the GPU in one process "
            "(more chips in one model fill it)"
        )


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.sum(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.sum(grad), None


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, dim: int, ranks: Ranks) -> Tensor:
        parts = ranks.collect(values.movedim(dim, 0))
        ctx.ranks, ctx.dim = ranks, dim
        ctx.span = (sum(len(one) for one in parts[: ranks.rank]), values.shape[dim])
        return torch.cat(parts).movedim(0, dim)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.ranks.sum(grad).narrow(ctx.dim, *ctx.span), None, None


def summed(values: Tensor, ranks: Ranks) -> Tensor:
    """Return the sum over ranks, through which gradients of every rank's loss reach every rank's values."""
    return _Sum.apply(values, ranks)


def joined(values: Tensor, dim: int, ranks: Ranks) -> Tensor:
    """Return the values of all ranks along a dimension, through which gradients reach every rank's values."""
    return _Joined.apply(values, dim, ranks)


def check_values(count: int, kind: str) -> None:
    """Raise ShapeError where all ranks together have one value per channel or none, which has no deviation."""
    if count < 2:
        raise ShapeError(f"{kind} was given a training batch with {count} value(s) per channel; use larger batches")


def _gone(ranks: Ranks, reason: str, error: RuntimeError) -> str:
    if reason:
        return f"rank {ranks.rank} of {ranks.size} stopped, because another one did. {reason}"
    text = str(error).strip().split("\n")[0]
    silent = "imed out" in text or "imeout" in text
    what = "did not answer in time" if silent else "is gone"
    return (
        f"rank {ranks.rank} of {ranks.size} waited for the others, but one of them {what} (torch says: {text[:200]}). "
        "It may have been killed, run out of memory, or have had fewer batches; look at the messages of the other "
        "processes and start all of them again (mho train --resume DIR goes on from the last epoch)"
    )


def _store() -> Any:
    """Return the store through which the ranks met, or None: torch has no public name for it."""
    try:
        return dist.distributed_c10d._get_default_store()
    except (RuntimeError, ValueError, AttributeError):
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave it where the store is gone, too: an error is being told already."""
    try:
        yield
    except (RuntimeError, ValueError, AttributeError):
        return


def _alone() -> None:
    return None
