"""The directory of a sweep: sweep.toml, plan.json, packs/, and the table once all packs are there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mho.config import dump as dump_config
from mho.config import loads as load_config
from mho.errors import CheckpointError, ConfigError
from mho.folders import check_writable, write_text
from mho.sweep.baseline import Known, known
from mho.sweep.differences import differences
from mho.sweep.packs import Pack
from mho.sweep.plan import BASELINE_GRID, Plan, begun
from mho.sweep.search.settings import read_search
from mho.sweep.sweep_file import dump, loads
from mho.sweep.table import (
    BASELINE,
    CSV,
    PLACE,
    REFUSED,
    RESULT,
    TABLE,
    SweepTable,
    read_parquet,
    write,
    write_parquet,
)  # fmt: skip

SWEEP, PLAN, PACKS, SEARCH, LOCK = "sweep.toml", "plan.json", "packs", "search.json", ".lock"
VERSION = 1
STORED = {**{k: v for k, v in PLACE.items() if k != "grid"}, **{k: v for k, v in RESULT.items() if k != "penalty"}}
"""Columns of the file of a pack: what the plan and the baseline do not say."""


def write_plan(folder: Path, plan: Plan) -> None:
    """Write sweep.toml and plan.json, each whole or not at all."""
    write_text(folder / SWEEP, dump(plan.sweep))
    write_text(folder / PLAN, json.dumps(plan_said(plan)) + "\n")


def plan_said(plan: Plan) -> dict[str, Any]:
    """Return what plan.json holds."""
    return {
        "version": VERSION,
        "about": about(plan),
        "threads": plan.threads,
        "search": plan.search,
        "points": {"grid": plan.grids, "values": dict(zip(plan.fields, zip(*plan.values, strict=True), strict=False))},
        "refused": {str(number): reason for number, reason in plan.refused.items()},
        "packs": [
            {"points": pack.points, "chips": [chip for n in pack.points for chip in plan.chips(n)]}
            for pack in plan.packs
        ],
    }  # fmt: skip


def about(plan: Plan) -> dict[str, Any]:
    """Return what the table says of the sweep, as far as it is known before the first run."""
    sweep = plan.sweep
    axes = [
        {
            "name": axis.name, "path": fields[0].path, "paths": [f.path for f in fields], "grid": grid.name,
            "method": grid.method, "scale": axis.scale,
            "values": [v[0] for v in axis.values()] if grid.method == "grid" or axis.listed is not None else [],
            "ends": [axis.start, axis.stop] if axis.listed is None else None,
        }
        for grid, axes in zip(sweep.grids, plan.axes, strict=True) for axis, fields in axes
    ]  # fmt: skip
    return {
        "title": sweep.name, "threshold": float(sweep.threshold), "seeds": sweep.seeds,
        "baseline": {"what": sweep.baseline}, "axes": axes, "config": dump_config(plan.start),
    }  # fmt: skip


def read_plan(folder: Path) -> Plan:
    """Return the plan in a directory; raise CheckpointError when there is none, or a damaged one."""
    try:
        said = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        sweep = loads((folder / SWEEP).read_text(encoding="utf-8"), name=str(folder / SWEEP))
        if said["version"] != VERSION:
            raise ValueError(f"it has version {said['version']}, and this mho reads {VERSION}")
        plan = begun(sweep, load_config(said["about"]["config"]), said["threads"], search=said["search"])
        columns = [said["points"]["values"].get(path, []) for path in plan.fields]
        return replace(
            plan, grids=tuple(said["points"]["grid"]), values=tuple(zip(*columns, strict=True)),
            packs=tuple(Pack(k, tuple(pack["points"])) for k, pack in enumerate(said["packs"])),
            refused={int(number): reason for number, reason in said["refused"].items()},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{error.filename} is missing; {_cure(folder)}"
            if is_begun(folder)
            else f"{folder} holds no sweep: there is no {PLAN}; give the folder that mho sweep --out DIR wrote"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder / PLAN} or {SWEEP} beside it is damaged ({error}); {_cure(folder)}") from error


def is_begun(folder: Path) -> bool:
    """Return whether a directory holds a sweep, or what is left of one."""
    return (folder / PLAN).is_file() or (folder / SWEEP).is_file() or (folder / PACKS).is_dir()


def _cure(folder: Path) -> str:
    """Return how the plan of a sweep comes back."""
    if not (folder / PLAN).is_file() and not (folder / SWEEP).is_file():
        return f"without it and {SWEEP} nothing says what {PACKS}/ holds: begin again with another --out"
    if (folder / SEARCH).exists():
        return (
            "restore it from a copy, or begin again with another --out: what a search has asked for stands there alone"
        )
    return (
        f"give the file that the sweep was begun with, and it is written again: mho sweep SWEEP.toml --out {folder} "
        f"keeps what is in {PACKS}/"
    )


def begin(folder: Path, plan: Plan) -> Plan:
    """Return the plan to carry out in a directory: the one that is there, or this one, which is then written.

    Raises ConfigError when the directory holds something else: a sweep never writes over results.
    """
    if not folder.exists() or (folder.is_dir() and all(path.name == LOCK for path in folder.iterdir())):
        check_writable(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(folder, plan)
        return plan
    if not is_begun(folder):
        raise ConfigError(f"{folder} is not an empty directory and holds no sweep; give another --out")
    # As a file holds it, where a device is a table and None a word.
    plan = replace(plan, sweep=loads(dump(plan.sweep)))
    try:
        there = read_plan(folder)
    except CheckpointError:
        there = _restored(folder, plan)
    if _asks_for_more(there, plan):
        there = replace(there, sweep=plan.sweep)
        write_plan(folder, there)
    if (there.sweep, there.start, there.search) != (plan.sweep, plan.start, plan.search):
        raise ConfigError(
            f"{folder} holds another sweep ({differences(there, plan)}), and a sweep does not write over results; give "
            f"another --out, or go on with what is in it: mho sweep --resume {folder}"
        )
    return there


def _asks_for_more(there: Plan, plan: Plan) -> bool:
    """Return whether a plan is the search of a directory with more trials, which go on where that ended."""
    if not (there.search and plan.search):
        return False
    same = replace(there.sweep, search=plan.sweep.search) == plan.sweep
    before, now = read_search(there.sweep.search), read_search(plan.sweep.search)
    return same and replace(before, trials=now.trials) == now and now.trials > before.trials


def _restored(folder: Path, plan: Plan) -> Plan:
    """Write the plan of a directory again of which one file is lost, where the other one shows that it was this plan.

    Raises what is wrong, a CheckpointError, where there is no such proof.
    """
    try:
        same = not plan.search and loads((folder / SWEEP).read_text(encoding="utf-8")) == plan.sweep
    except (OSError, ValueError):
        same = False
    if not same and not plan.search:
        try:
            said = json.loads((folder / PLAN).read_text(encoding="utf-8"))
            plan = replace(plan, threads=said["threads"])
            same = said == json.loads(json.dumps(plan_said(plan)))
        except (OSError, ValueError, KeyError, TypeError):
            same = False
    if not same:
        return read_plan(folder)  # says what is wrong
    write_plan(folder, plan)
    return plan


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a directory; raise ConfigError when another process that still lives holds it.

    The lock goes with the process, also with one that is killed. Where the system has no such locks, nothing is held.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{folder} is being worked on by another mho sweep; wait for it, stop it, or give another --out"
            ) from None
        except OSError:  # a file system without locks
            yield
            return
        yield


def pack_file(folder: Path, number: int) -> Path:
    """Return where the rows of a pack are kept."""
    return folder / PACKS / f"{number:05d}.parquet"


def write_pack(folder: Path, number: int, rows: Sequence[dict[str, Any]], said: dict[str, Any]) -> None:
    """Write the rows of a finished pack, and beside them what was said of how they were made."""
    import pyarrow as pa

    ordered = sorted(rows, key=lambda row: (row["point"], row["replicate"]))
    schema = pa.schema([(name, pa.bool_() if kind == "bool" else getattr(pa, kind)()) for name, kind in STORED.items()])
    path = pack_file(folder, number)
    write_text(path.with_suffix(".json"), json.dumps(said) + "\n")  # first: the Parquet file says that all is done
    write_parquet(pa.Table.from_pylist(ordered, schema), path)


def finished(folder: Path, plan: Plan) -> set[int]:
    """Return the numbers of the packs whose rows are there."""
    return {pack.number for pack in plan.packs if pack_file(folder, pack.number).is_file()}


def unfinished(folder: Path, plan: Plan) -> list[Pack]:
    """Return the packs of a plan whose rows are not there."""
    there = finished(folder, plan)
    return [pack for pack in plan.packs if pack.number not in there]


def read_pack(folder: Path, plan: Plan, pack: Pack) -> list[dict[str, Any]]:
    """Return the rows of a finished pack; raise CheckpointError when they are damaged or of other points."""
    path = pack_file(folder, pack.number)
    arrow = read_parquet(path)
    expected = [(n, chip) for n in sorted(pack.points) for chip in plan.chips(n)]
    rows: list[dict[str, Any]] = arrow.to_pylist() if set(arrow.column_names) == set(STORED) else []
    if [(row["point"], row["chip"]) for row in rows] != expected:
        raise CheckpointError(
            f"{path} does not hold the {len(expected)} chips of its pack; it is of another sweep, or damaged: delete "
            f"it, and mho sweep --resume {folder} computes them again"
        )
    return rows


def collected(folder: Path, plan: Plan) -> SweepTable:
    """Return the table of what is there: all finished packs, and the points that cannot be."""
    there = finished(folder, plan)
    rows = [row for pack in plan.packs if pack.number in there for row in read_pack(folder, plan, pack)]
    nothing = dict.fromkeys(STORED)
    for number, reason in plan.refused.items():
        for replicate, chip in enumerate(plan.chips(number)):
            place = {"point": number, "replicate": replicate, "chip": chip, "halved": False}
            rows.append({**nothing, **place, "status": REFUSED, "reason": reason})
    rows.sort(key=lambda row: (row["point"] >= 0, abs(row["point"]), row["replicate"]))  # baselines -1, -2, ... first
    return _table(folder, plan, rows)


def _table(folder: Path, plan: Plan, rows: list[dict[str, Any]]) -> SweepTable:
    """Return rows with what the plan says of their points, and the penalty; all baselines are point -1 there."""
    found = _known(folder, plan, rows)
    columns: dict[str, list[Any]] = {name: [] for name in (*PLACE, *plan.fields, *RESULT)}
    for row in rows:
        number, accuracy, of_baseline = row["point"], row["test_accuracy"], row["point"] < 0
        from_one = plan.baselines.of.get(number) if plan.baselines and not of_baseline else None
        mean = found.means.get(number if of_baseline else from_one)
        whole = {
            **dict.fromkeys(plan.fields), **plan.point(number), **row,
            "point": BASELINE if of_baseline else number,
            "grid": BASELINE_GRID if of_baseline else plan.grids[number],
            "penalty": None if mean is None or accuracy is None else mean - accuracy,
        }  # fmt: skip
        for name, column in columns.items():
            column.append(whole[name])
    return SweepTable(columns, {**about(plan), **found.about})


def _known(folder: Path, plan: Plan, rows: Sequence[dict[str, Any]]) -> Known:
    """Return what is known of the baselines from their rows, and from what was said of how they were made."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row["point"] < 0 and row["test_accuracy"] is not None:
            found.setdefault(row["point"], []).append(float(row["test_accuracy"]))
    guesses = {
        number: _said(folder, pack.number).get("guess")
        for pack in plan.packs if pack.of_baselines for number in pack.points
    }  # fmt: skip
    return known(plan.sweep.baseline, plan.baselines, found, guesses)


def _said(folder: Path, number: int) -> dict[str, Any]:
    """Return what was said of how a pack was made; nothing where that is lost, as no result hangs on it."""
    try:
        found = json.loads(pack_file(folder, number).with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def warned(folder: Path, plan: Plan) -> str:
    """Return what is to be said of baselines that did not learn, "" as long as not all of them are there."""
    packs = [pack for pack in plan.packs if pack.of_baselines]
    if not {pack.number for pack in packs} <= finished(folder, plan):
        return ""
    rows = [row for pack in packs for row in read_pack(folder, plan, pack)]
    return str(_known(folder, plan, rows).about.get("warning", ""))


def half_finished(folder: Path) -> SweepTable:
    """Return the table of a sweep that has no table.parquet yet."""
    return collected(folder, read_plan(folder))


def write_table(folder: Path, plan: Plan) -> SweepTable:
    """Write and return the table of a sweep whose packs are all there."""
    table = collected(folder, plan)
    write(table, folder)
    return table


def drop_table(folder: Path) -> None:
    """Remove the table, as more points are to come: until it is written again, what is in packs/ counts."""
    for name in (TABLE, CSV):
        (folder / name).unlink(missing_ok=True)
