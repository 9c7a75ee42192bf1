"""The engine, with workers that are lost at will."""

from __future__ import annotations

import pytest

from mho.sweep import plan
from mho.sweep.engine import TRIES, carry_out
from mho.sweep.executors.base import Outcome, WorkerError
from mho.sweep.files import begin, collected, finished
from mho.sweep.progress import Lines
from sweep.small import small


class Fake:
    """Answers at once; a task that `lost` says so of loses its worker instead."""

    workers = 2

    def __init__(self, lost=lambda task: False, blameless=False):
        self.lost, self.blameless, self.given, self.log = lost, blameless, [], []

    def free(self):
        return 2 - len(self.given)

    def submit(self, number, task):
        self.given.append((number, task))
        self.log.append([point["point"] for point in task["points"]])

    def wait(self, told):
        number, task = self.given.pop(0)
        told(number, 0.5)
        if self.lost(task):
            return [Outcome(number, lost="killed", blameless=self.blameless)]
        rows = [
            {"point": p["point"], "replicate": r, "chip": c, "test_accuracy": 90.0 + p["point"], "test_loss": 1.0,
             "train_loss": 1.0, "pulses": 5.0, "status": "done", "reason": "", "halved": False}
            for p in task["points"] for r, c in enumerate(p["chips"])
        ]  # fmt: skip
        return [Outcome(number, {"rows": rows, "seconds": 1.0})]

    def close(self):
        pass


def carried(folder, executor, shown=None):
    made = begin(folder, plan(small()))
    carry_out(made, made.packs, executor, folder, shown=shown)
    return made, collected(folder, made)


def test_every_pack_is_computed_once_and_read_the_next_time(tmp_path):
    executor = Fake()
    made, table = carried(tmp_path, executor)
    assert executor.log == [list(pack.points) for pack in made.packs]
    assert table.rows["point"] == sorted([-1, -1, *range(9)] * 2)
    assert table.where(point=3).rows["penalty"] == [-4.0, -4.0]
    assert table.where(point=7).rows["status"] == ["refused"] * 2
    again = Fake()
    assert carried(tmp_path, again)[1] == table
    assert again.log == []


def test_a_lost_task_is_given_again_whole(tmp_path, capsys):
    lost = iter([True, True])
    executor = Fake(lambda task: task["pack"] == 1 and next(lost, False))
    made, table = carried(tmp_path, executor, Lines())
    assert executor.log.count(list(made.packs[1].points)) == 3
    assert capsys.readouterr().out.count("run 1 (points 0 to 3): killed; given again\n") == 2
    assert set(table.rows["halved"]) == {False}
    assert table == carried(tmp_path / "quiet", Fake())[1]


def test_a_task_that_costs_worker_after_worker_is_halved(tmp_path):
    executor = Fake(lambda task: len(task["points"]) > 1 and task["pack"] == 1)
    made, table = carried(tmp_path, executor)
    assert executor.log.count(list(made.packs[1].points)) == TRIES
    halved = {p for p, h in zip(table.rows["point"], table.rows["halved"], strict=True) if h}
    assert halved == set(made.packs[1].points)
    assert set(table.where(point=0).rows["status"]) == {"done"}


def test_a_point_that_no_worker_survives_is_told_and_stops_nothing(tmp_path):
    executor = Fake(lambda task: any(point["point"] == 2 for point in task["points"]))
    made, table = carried(tmp_path, executor)
    assert table.where(point=2).rows["status"] == ["out of memory"] * 2
    assert "killed" in table.where(point=2).rows["reason"][0]
    assert sum(status == "done" for status in table.rows["status"]) == 2 * (2 + 9 - 2)
    assert finished(tmp_path, made) == {0, 1, 2}


def test_nodes_that_die_are_not_held_against_the_task(tmp_path):
    lost = iter([True] * 10)
    _, table = carried(tmp_path, Fake(lambda task: task["pack"] == 1 and next(lost, False), blameless=True))
    assert set(table.rows["halved"]) == {False}


def test_an_error_of_the_machine_stops_the_sweep_and_keeps_what_is_done(tmp_path):
    class Full(Fake):
        def wait(self, told):
            number, task = self.given[0]
            return [Outcome(number, error=WorkerError("disk full"))] if task["pack"] == 2 else super().wait(told)

    made = begin(tmp_path, plan(small()))
    with pytest.raises(WorkerError, match="disk full"):
        carry_out(made, made.packs, Full(), tmp_path)
    assert finished(tmp_path, made) == {0, 1}


def test_progress_counts_the_points_of_the_plan(tmp_path, capsys):
    carried(tmp_path, Fake(), Lines())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 baselines done"  # which are no points
    assert lines[-1].startswith("8 of 8 points done")


def test_progress_says_done_failed_rate_and_time_left(capsys):
    shown = Lines()
    shown.begin(4, [], 1)
    shown.done([{"point": 0, "status": "done"}, {"point": 1, "status": "diverged"}])
    text = capsys.readouterr().out
    assert "2 of 4 points done, 1 failed, " in text
    assert "left" in text
