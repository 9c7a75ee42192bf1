"""An ablation from a configuration to its results."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mho.ablation.arms import Arm, Batch, arms, batches
from mho.ablation.carry import carry_out
from mho.ablation.costs import Row, costs
from mho.ablation.found import find, refuse_lists
from mho.ablation.property import Found
from mho.config import RunConfig, dump, load, preset
from mho.data import Dataset
from mho.data import load as load_data
from mho.errors import CheckpointError, ConfigError
from mho.folders import write_text
from mho.train.unattended import Ended
from mho.train.where import device_of

DIGITAL = "digital"
OPTIONS = "options.json"
SEEDS = 3
MOST_CHIPS = 1024


@dataclass(frozen=True)
class Options:
    """How a configuration is ablated.

    seeds: chips for each arm. apart: forward and backward products one by one. only: names of the properties, None for
    all that are on.
    """

    seeds: int = SEEDS
    apart: bool = False
    only: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= MOST_CHIPS:
            raise ConfigError(f"an arm has from 1 to {MOST_CHIPS} chips, found {self.seeds}; 3 or more give error bars")


@dataclass(frozen=True)
class Plan:
    """What will be run: the properties that are on, the arms, and the runs whose chips they are."""

    config: RunConfig
    options: Options
    found: Found
    arms: tuple[Arm, ...]
    batches: tuple[Batch, ...]

    @property
    def about(self) -> dict[str, str]:
        """What turning each property off does, by name."""
        return {p.name: p.about for p in self.found.wanted()}


@dataclass(frozen=True)
class Ablation:
    """A finished ablation.

    rows: the properties, the most costly first. ended: how every arm ended, by name, and the digital baseline under
    "digital".
    """

    plan: Plan
    rows: tuple[Row, ...]
    ended: dict[str, Ended]
    seconds: float
    folder: Path | None = field(default=None, compare=False)


def plan(config: RunConfig, options: Options | None = None) -> Plan:
    """Return what an ablation of a configuration would run; raise ConfigError where it cannot be."""
    options = options or Options()
    refuse_lists(config)
    base = replace(config, chips=1, vary=config.vary or ("init",))
    found = find(config.analog, apart=options.apart, only=options.only)
    made = tuple(arms(config.analog, found))
    return Plan(base, options, found, made, tuple(batches(made, options.seeds)))


def ablate(
    config: RunConfig | None = None, options: Options | None = None, *, out: str | os.PathLike[str],
    progress: bool | str = True, data: Dataset | None = None,
) -> Ablation:  # fmt: skip
    """Find out which property of the hardware costs a configuration how much accuracy.

    Every property that is on (granularity, asymmetry, spreads, noise, converters, bounds, ...) is turned off by itself,
    and is on alone with all others off. Each such arm is `options.seeds` chips of one run. `config.chips` is not used;
    chips differ in devices, noise and what `config.vary` says, at least the initial weights. Writes OUT: config.toml,
    ablation.json, table.md, figure.png, figure.svg, ablation.html and runs/; given an OUT that was begun with the same
    settings, it goes on. progress, data: as for `mho.train`.

    Raises ConfigError where there is nothing to ablate or OUT holds something else, DataError.
    """
    made = plan(config or RunConfig(), options)
    device_of(made.config)  # raises where this machine cannot compute so, before anything is made
    folder = Path(out)
    _begin(folder, made)
    start = time.perf_counter()
    data = data or load_data(made.config.data, progress=bool(progress))
    ended: dict[str, Ended] = {}
    for place, batch, base in _runs(made):
        if progress:
            print(_said(place, batch), flush=True)
        ended.update(carry_out(batch, base, folder / "runs" / place, data, progress))
    rows = costs(made.arms, {arm.name: ended[arm.name] for arm in made.arms}, made.about)
    result = Ablation(made, tuple(rows), ended, _seconds(folder, time.perf_counter() - start), folder)
    _write(result)
    return result


def resume(folder: Path, progress: bool | str = True) -> Ablation:
    """Go on with an ablation in its directory; raise CheckpointError when there is none."""
    try:
        given = json.loads((folder / OPTIONS).read_text(encoding="utf-8"))
        only = given["only"]
        options = Options(given["seeds"], given["apart"], None if only is None else tuple(only))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder} holds no ablation to resume ({OPTIONS}: {error}); check the path, or begin one: "
            f"mho ablate --out {folder}"
        ) from error
    return ablate(load(folder / "config.toml"), options, out=folder, progress=progress)


def _runs(made: Plan) -> list[tuple[str, Batch, RunConfig]]:
    """Return the runs: folder, arms, settings. The digital baseline is a small one at the end."""
    found = [(f"arms-{k + 1}" if k else "arms", batch, made.config) for k, batch in enumerate(made.batches)]
    digital = replace(preset("ideal"), mapping=replace(preset("ideal").mapping, bias=made.config.analog.mapping.bias))
    arm = Batch((Arm(DIGITAL, "none", digital),), (tuple(range(made.options.seeds)),))
    return [*found, (DIGITAL, arm, replace(made.config, zero_shift=None))]


def _said(place: str, batch: Batch) -> str:
    chips = sum(map(len, batch.chips))
    if place == DIGITAL:
        return f"digital baseline on {chips} chips, for reference"
    return f"{len(batch.arms)} arms of {len(batch.chips[0])} chips each, {chips} chips in one run"


def _begin(folder: Path, made: Plan) -> None:
    """Write what is asked for; raise ConfigError when the directory holds something else."""
    text, said = dump(made.config), json.dumps(vars(made.options)) + "\n"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        same = (folder / OPTIONS).is_file() and (folder / OPTIONS).read_text(encoding="utf-8") == said
        if not same or load(folder / "config.toml") != made.config:
            raise ConfigError(
                f"{folder} is not an empty directory, and does not hold this ablation with these settings; give "
                f"another --out, or go on with what is in it: mho ablate --resume {folder}"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.toml", text)
    write_text(folder / OPTIONS, said)


def _seconds(folder: Path, now: float) -> float:
    """Return the seconds that all runs took, those of an interrupted beginning, too."""
    found = 0.0
    for path in (folder / "runs").glob("**/metrics.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += sum(json.loads(line)["seconds"] or 0.0 for line in lines)
    return max(found, now)


def _write(result: Ablation) -> None:
    from mho.ablation.figure import draw
    from mho.ablation.page import html
    from mho.ablation.table import markdown

    folder = result.folder
    assert folder is not None
    write_text(folder / "ablation.json", json.dumps(as_dict(result), indent=1, allow_nan=False) + "\n")
    write_text(folder / "table.md", markdown(result))
    draw(result, folder)
    write_text(folder / "ablation.html", html(result))


def as_dict(result: Ablation) -> dict[str, Any]:
    """Return what ablation.json holds."""
    from mho.ablation.table import SETUP, setup
    from mho.train.summary import versions

    return {
        "rows": [_row(row) for row in result.rows],
        "arms": [_arm(name, end) for name, end in result.ended.items()],
        "inseparable": [{"property": name, "why": why} for name, why in result.plan.found.inseparable],
        "setup": setup(result),
        "test": SETUP,
        "seconds": round(result.seconds, 1),
        "versions": versions(),
    }


def _row(row: Row) -> dict[str, Any]:
    def cost(c: Any) -> dict[str, Any] | None:
        numbers = {k: round(v, 6) if math.isfinite(v) else None for k, v in vars(c).items() if isinstance(v, float)}
        return {**vars(c), **numbers}

    alone = None if row.alone is None else cost(row.alone)
    return {"property": row.name, "about": row.about, "off": cost(row.off), "alone": alone}


def _arm(name: str, end: Ended) -> dict[str, Any]:
    spread = stdev(end.accuracy) if len(end.accuracy) > 1 else None
    return {
        "arm": name, "test_accuracy": list(end.accuracy), "mean": fmean(end.accuracy), "std": spread,
        "diverged": end.why,
    }  # fmt: skip
