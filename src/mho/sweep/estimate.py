"""What a sweep will cost, said before it starts: runs, chips, memory and time, from probes of its first packs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mho.report.words import plural
from mho.sweep.executors.base import Executor
from mho.sweep.packs import Pack
from mho.sweep.plan import Plan
from mho.sweep.progress import duration
from mho.sweep.table import BASELINE

KINDS = 3
"""So many kinds of packs are probed; the others are taken to cost, for a chip, what these do."""
FREE = ("seed", "lr", "vary")
"""Fields that change what a pack computes, but not what it costs."""


@dataclass(frozen=True)
class Estimate:
    """What packs will cost: seconds of all together on as many workers, and the bytes of the largest one.

    memory: what a probed pack was seen to take, or what its tensors do where that is more, for as many chips.
    """

    seconds: float
    memory: float
    workers: int


def estimate(plan: Plan, packs: Sequence[Pack], executor: Executor) -> Estimate:
    """Return what packs will cost, after some steps of the largest pack of each kind.

    Raises what a probe raises when the machine is at fault; a pack that cannot be run is left out.
    """
    kinds: dict[str, Pack] = {}
    for pack in packs:
        kind = _kind(plan, pack)
        if kind not in kinds or len(pack.points) > len(kinds[kind].points):
            kinds[kind] = pack
    probed = dict(list(kinds.items())[:KINDS])
    answers = _probes(plan, list(probed.values()), executor)
    found = {kind: answer for kind, answer in zip(probed, answers, strict=True) if answer}
    if not found:
        return Estimate(0.0, 0.0, executor.workers)
    mean = {key: sum(s[key] / s["chips"] for s in found.values()) / len(found) for key in next(iter(found.values()))}
    costs = []
    for pack in packs:
        one = found.get(_kind(plan, pack))
        per_chip = mean if one is None else {key: value / one["chips"] for key, value in one.items()}
        costs.append({key: value * len(pack.points) * plan.sweep.seeds for key, value in per_chip.items()})
    seconds = sum(cost["seconds"] for cost in costs) / min(executor.workers, len(packs))
    return Estimate(seconds, max(max(cost["counted"], cost["measured"]) for cost in costs), executor.workers)


def _kind(plan: Plan, pack: Pack) -> str:
    """Return what packs of about the same cost for a chip have in common."""
    if pack.points == (BASELINE,):
        return "baseline"
    shared = plan.packer.filled([plan.point(pack.points[0])])[0]["shared"]
    return json.dumps(sorted((path, value) for path, value in shared.items() if path not in FREE))


def _probes(plan: Plan, packs: Sequence[Pack], executor: Executor) -> list[dict[str, Any] | None]:
    """Return what probes of packs said, in their order; None for one that could not be run."""
    found: dict[int, dict[str, Any] | None] = {}
    waiting = list(range(len(packs)))
    while len(found) < len(packs):
        while waiting and executor.free() > 0:
            number = waiting.pop(0)
            executor.submit(-1 - number, {**plan.task(packs[number]), "probe": True})
        for outcome in executor.wait(lambda number, share: None):
            if outcome.error is not None:
                raise outcome.error
            found[-1 - outcome.number] = (outcome.answer or {}).get("probe")
    return [found[k] for k in range(len(packs))]


def said(plan: Plan, packs: Sequence[Pack], cost: Estimate | None) -> list[str]:
    """Return the lines that tell what is to be done: all of it, and what of it is left."""
    seeds, points = plan.sweep.seeds, len(plan.values)
    baseline = sum(pack.points == (BASELINE,) for pack in plan.packs)
    runs, chips = len(plan.packs) - baseline, (points - len(plan.refused)) * seeds
    also = f", and {plural(seeds, 'chip')} of the baseline in one more" if baseline else ""
    each = f"{plural(points, 'point')} of {plural(seeds, 'chip')}"
    lines = [f"{each}: {plural(chips, 'chip')} in {plural(runs, 'run')}{also}"]
    if plan.refused:
        number, why = next(iter(plan.refused.items()))
        lines.append(f"{plural(len(plan.refused), 'point')} cannot be and will not be run; point {number}: {why}")
    if len(packs) < len(plan.packs):
        lines.append(f"finished already: {plural(len(plan.packs) - len(packs), 'run')}; left: {len(packs)}")
    if cost is not None and cost.seconds:
        on = f" on {cost.workers} workers" if cost.workers > 1 else ""
        lines.append(
            f"expected: {duration(cost.seconds)}{on}, and for the largest run {size(cost.memory)} of memory beside the "
            "program and the data"
        )
    return lines


def size(count: float) -> str:
    """Return a number of bytes in the unit that fits."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= scale:
            return f"{count / scale:.2g} {unit}" if count < 100 * scale else f"{count / scale:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"
