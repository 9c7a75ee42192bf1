"""What a sweep will cost, said before it starts: runs, chips, memory and time, from probes of its first packs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mho.report.words import plural
from mho.sweep.executors.base import Executor
from mho.sweep.packs import Pack
from mho.sweep.plan import Plan
from mho.sweep.progress import duration

KINDS = 3
"""So many kinds of packs are probed; the others are taken to cost, for a chip, what these do."""
CHIPS = 128
"""Chips of a probe: from some dozens on, one chip more costs what the one before did."""
ESTIMATING = "some steps of each kind of run will say how long it takes ..."
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
    packer = plan.baseline_packer if pack.of_baselines else plan.packer
    shared = packer.filled([plan.point(pack.points[0])])[0]["shared"]
    return json.dumps([pack.of_baselines, sorted((path, value) for path, value in shared.items() if path not in FREE)])


def _probe(plan: Plan, pack: Pack) -> dict[str, Any]:
    """Return the task of a probe: of a large pack with some of its chips, as each costs the same there."""
    task = plan.task(pack, pack.points[: max(1, CHIPS // plan.sweep.seeds)])
    few = [{**point, "chips": point["chips"][:CHIPS]} for point in task["points"]]
    return {**task, "points": few, "probe": True}


def _probes(plan: Plan, packs: Sequence[Pack], executor: Executor) -> list[dict[str, Any] | None]:
    """Return what probes of packs said, in their order; None for one that could not be run."""
    found: dict[int, dict[str, Any] | None] = {}
    waiting = list(range(len(packs)))
    while len(found) < len(packs):
        while waiting and executor.free() > 0:
            number = waiting.pop(0)
            executor.submit(-1 - number, _probe(plan, packs[number]))
        for outcome in executor.wait(lambda number, share: None):
            if outcome.error is not None:
                raise outcome.error
            found[-1 - outcome.number] = (outcome.answer or {}).get("probe")
    return [found[k] for k in range(len(packs))]


def tell(plan: Plan, packs: Sequence[Pack], executor: Executor, write: Callable[[str], None]) -> None:
    """Say how much is to be done, at once, and after probes what that will cost."""
    for line in counted(plan, packs):
        write(line)
    if packs:
        write(ESTIMATING)
        for line in expected(estimate(plan, packs, executor)):
            write(line)


def counted(plan: Plan, packs: Sequence[Pack]) -> list[str]:
    """Return the lines that tell how much is to be done: all of it, and what of it is left."""
    seeds, points = plan.sweep.seeds, len(plan.values)
    runs, chips = sum(not pack.of_baselines for pack in plan.packs), (points - len(plan.refused)) * seeds
    each = f"{plural(points, 'point')} of {plural(seeds, 'chip')}"
    lines = [f"{each}: {plural(chips, 'chip')} in {plural(runs, 'run')}{of_baselines(plan)}"]
    if plan.refused:
        number, why = next(iter(plan.refused.items()))
        lines.append(f"{plural(len(plan.refused), 'point')} cannot be and will not be run; point {number}: {why}")
    if len(packs) < len(plan.packs):
        lines.append(f"finished already: {plural(len(plan.packs) - len(packs), 'run')}; left: {len(packs)}")
    return lines


def of_baselines(plan: Plan) -> str:
    """Return the words about the chips of the baselines and their runs, "" where nothing of that is to be computed."""
    packs = [pack for pack in plan.packs if pack.of_baselines]
    if not packs:
        return ""
    count = sum(len(pack.points) for pack in packs)
    of = "the baseline" if count == 1 else f"{count} baselines"
    more = "one" if len(packs) == 1 else len(packs)
    return f", and {plural(count * plan.sweep.seeds, 'chip')} of {of} in {more} more"


def expected(cost: Estimate) -> list[str]:
    """Return the line that tells what packs will cost, none where that is not known."""
    if not cost.seconds:
        return []
    on = f" on {cost.workers} workers" if cost.workers > 1 else ""
    return [
        f"expected: {duration(cost.seconds)}{on}, and for the largest run {size(cost.memory)} of memory beside the "
        "program and the data"
    ]


def size(count: float) -> str:
    """Return a number of bytes in the unit that fits."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= scale:
            return f"{count / scale:.2g} {unit}" if count < 100 * scale else f"{count / scale:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"
