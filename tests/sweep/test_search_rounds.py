"""Searches: what is found, that stopping anywhere changes nothing, and what is said of points that fail."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mho.errors import CheckpointError, ConfigError
from mho.sweep.estimate import Estimate
from mho.sweep.fields import base
from mho.sweep.files import read_plan
from mho.sweep.plan import begun
from mho.sweep.progress import Silent
from mho.sweep.search.record import FILE as DATABASE
from mho.sweep.search.record import hidden
from mho.sweep.search.rounds import question, tell
from mho.sweep.sweep_file import loads
from mho.sweep.table import DIVERGED, FAILED
from sweep.searching import C2C, DW, PRICE, TEXT, Known, cheapest, penalty, sought

optuna = pytest.importorskip("optuna", reason="Optuna is an extra")
FEW = PRICE + "trials = 24\nbatch = 8\n"


def told(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "search.json").read_text()))


def study(folder: Path) -> Any:
    (name,) = optuna.get_all_study_names(f"sqlite:///{folder / DATABASE}")
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / DATABASE}")


def test_the_cheapest_within_the_threshold_is_found(tmp_path: Path) -> None:
    table = sought(tmp_path / "s", PRICE + "trials = 96\nbatch = 16\n", Known())
    said = told(tmp_path / "s")
    best = said["best"]
    assert len(said["trials"]) == 96
    assert len(table.where(grid="dw_min x c2c").rows["point"]) == 2 * 96
    assert best["feasible"]
    assert best["penalty"] <= 0.5
    assert best["penalty"] == pytest.approx(penalty(best["values"]))
    # 96 of 2500 cells of a grid of 50 x 50 over 3 and 1.6 decades: within a tenth of a decade of the best
    assert best["cost"] < cheapest() + 0.1
    assert best["cost"] == min(t["cost"] for t in said["trials"] if t["feasible"])


def test_a_search_is_better_than_chance(tmp_path: Path) -> None:
    found = []
    for seed in range(3):
        sought(tmp_path / f"a{seed}", PRICE + f"trials = 64\nbatch = 16\nseed = {seed}\n", Known())
        found.append(told(tmp_path / f"a{seed}"))
    late = [t["feasible"] or t["penalty"] < 2 for one in found for t in one["trials"][32:]]
    early = [t["feasible"] or t["penalty"] < 2 for one in found for t in one["trials"][:16]]
    assert sum(late) / len(late) > 1.3 * sum(early) / len(early)


def test_the_front_of_two_targets(tmp_path: Path) -> None:
    sought(tmp_path / "s", PRICE + 'trials = 48\nbatch = 12\ntargets = ["cost", "penalty"]\n', Known())
    trials = told(tmp_path / "s")["trials"]
    front = [t for t in trials if t["front"]]
    assert 3 <= len(front) < len(trials)
    for one in trials:
        beaten = [
            t for t in trials
            if t["cost"] <= one["cost"] and t["penalty"] <= one["penalty"] and t is not one
            and (t["cost"], t["penalty"]) != (one["cost"], one["penalty"])
        ]  # fmt: skip
        assert one["front"] == (not beaten)


def test_the_best_at_any_cost(tmp_path: Path) -> None:
    sought(tmp_path / "s", 'targets = ["penalty"]\ntrials = 40\nbatch = 10\n', Known(lambda v: (v[C2C] - 0.3) ** 2))
    assert told(tmp_path / "s")["best"]["values"][C2C] == pytest.approx(0.3, abs=0.15)


def test_the_record_holds_every_trial(tmp_path: Path) -> None:
    sought(tmp_path / "s", FEW, Known())
    said, kept = told(tmp_path / "s"), study(tmp_path / "s").trials
    assert [t.user_attrs["point"] for t in kept] == list(range(24))
    for trial, one in zip(kept, said["trials"], strict=True):
        assert trial.params["dw_min"] == one["values"][DW]
        assert trial.values == [one["cost"]]
        assert (trial.constraints["penalty"] <= 0) == one["feasible"]


@pytest.mark.parametrize("tasks", [0, 1, 2, 3])
def test_a_search_stopped_anywhere_ends_the_same(tmp_path: Path, tasks: int) -> None:
    sought(tmp_path / "whole", FEW, Known())
    first = Known(tasks=tasks)
    with pytest.raises(KeyboardInterrupt):
        sought(tmp_path / "parts", FEW, first)
    second = Known()
    sought(tmp_path / "parts", FEW, second)
    assert not set(first.points) & set(second.points)
    for name in ("table.parquet", "table.csv", "plan.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    kept = study(tmp_path / "parts").trials
    assert [t.user_attrs["point"] for t in kept] == list(range(24))
    ours, theirs = told(tmp_path / "whole"), told(tmp_path / "parts")
    assert {**ours, "study": ""} == {**theirs, "study": ""}


def test_a_lost_record_is_written_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sought(tmp_path / "s", FEW, Known(tasks=3))
    (tmp_path / "s" / DATABASE).unlink()
    (tmp_path / "s" / "search.json").unlink()
    sought(tmp_path / "s", FEW, Known())
    assert len(study(tmp_path / "s").trials) == 24


def test_a_finished_search_is_only_read(tmp_path: Path) -> None:
    sought(tmp_path / "s", FEW, Known())
    again = Known()
    sought(tmp_path / "s", FEW, again)
    assert again.points == []


def test_points_that_fail_or_diverge_do_not_stop_it(tmp_path: Path) -> None:
    sought(tmp_path / "s", FEW, Known(failed={2: FAILED, 3: DIVERGED, 9: FAILED}))
    trials = told(tmp_path / "s")["trials"]
    assert [trials[n]["penalty"] for n in (2, 9)] == [None, None]
    assert trials[3]["penalty"] == pytest.approx(0.1)
    assert not any(trials[n]["feasible"] or trials[n]["front"] for n in (2, 3, 9))
    states = [t.state.name for t in study(tmp_path / "s").trials]
    assert [n for n, state in enumerate(states) if state == "FAIL"] == [2, 9]


def test_nothing_within_the_threshold_is_said(tmp_path: Path) -> None:
    said = []

    class Told(Silent):
        def write(self, text: str) -> None:
            said.append(text)

    sought(tmp_path / "s", FEW, Known(lambda _: 7.0), Told())
    assert told(tmp_path / "s")["best"] is None
    assert said[-1] == "24 of 24 trials: none has a penalty of at most 0.5 points, the lowest is 7.00"


def test_the_plan_of_a_search_is_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.sweep.search.rounds.estimate", lambda plan, packs, executor: Estimate(
        10.0 * sum(len(pack.points) for pack in packs), 1e6, 1
    ))  # fmt: skip
    sweep, said = loads(TEXT.replace("{search}", FEW)), list[str]()
    made = begun(sweep, base(sweep), 1, search=True)
    tell(question(sweep, made), made, Known(), said.append)
    assert said[0] == (
        "search: 24 points of 2 chips: 48 chips in 3 batches, one after another, "
        "and 2 chips of the baseline in one more"
    )
    assert said[-1].startswith("expected: 4.2 min, ")  # 24 points and the baseline
    with pytest.raises(KeyboardInterrupt):
        sought(tmp_path / "s", FEW, Known(tasks=2))
    said.clear()
    tell(question(sweep, made), read_plan(tmp_path / "s"), Known(), said.append, tmp_path / "s")
    assert said[1] == "finished already: 8 points; left: 16"
    assert said[-1].startswith("expected: 2.7 min, ")


def test_a_wrong_question_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no swept field"):
        sought(tmp_path / "s", FEW.replace("c2c", "c2d"), Known())
    assert not (tmp_path / "s").exists()


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    for url in ("nonsense", "mysql+nodriver://me:secret@host/db", f"sqlite:///{tmp_path}/no/such/folder/x.db"):
        with pytest.raises(ConfigError, match=r"the database .* of the search cannot be used") as error:
            sought(tmp_path / "s", FEW + f'storage = "{url}"\n', Known())
        assert "secret" not in str(error.value)
        (tmp_path / "s" / "plan.json").unlink()
        (tmp_path / "s" / "sweep.toml").unlink()
    assert hidden("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_another_database_is_used(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ours.db'}"
    sought(tmp_path / "a", FEW + f'storage = "{url}"\n', Known())
    sought(tmp_path / "b", FEW + f'storage = "{url}"\n', Known())
    assert len(optuna.get_all_study_names(url)) == 2
    assert not (tmp_path / "a" / DATABASE).exists()


def test_a_damaged_search_json_is_named(tmp_path: Path) -> None:
    sought(tmp_path / "s", FEW, Known())
    (tmp_path / "s" / "search.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"search\.json is damaged"):
        sought(tmp_path / "s", FEW, Known())


def test_the_plan_grows_by_batches_in_packs_of_their_own(tmp_path: Path) -> None:
    sought(tmp_path / "s", FEW, Known())
    plan = read_plan(tmp_path / "s")
    assert [len(pack.points) for pack in plan.packs] == [1, 8, 8, 8]
    assert all(math.isfinite(value) for values in plan.values for value in values)
