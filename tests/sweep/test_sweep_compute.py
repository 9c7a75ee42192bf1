"""What a worker computes: the same rows packed as alone, and a reason for every point that fails."""

from __future__ import annotations

import pytest

from mho.errors import DataError, GpuMemoryError
from mho.sweep import loads, plan
from mho.sweep.compute import compute, is_out_of_memory, run_of
from mho.train import Trainer
from sweep.small import small

COLUMNS = {
    "point", "replicate", "chip", "test_accuracy", "test_loss", "train_loss", "pulses", "status", "reason", "halved",
}  # fmt: skip


def test_rows_of_a_pack_are_those_of_its_points_alone():
    made = plan(small())
    pack = made.packs[2]
    together = compute(made.task(pack))["rows"]
    assert [(row["point"], row["chip"]) for row in together] == [(n, c) for n in pack.points for c in made.chips(n)]
    assert all(set(row) == COLUMNS for row in together)
    for n in pack.points:
        alone = compute(made.task(pack, [n]))["rows"]
        for row, own in zip((r for r in together if r["point"] == n), alone, strict=True):
            # Sums are rounded in another order, which a converter may turn into its next level: a few pulses differ.
            assert row["pulses"] == pytest.approx(own["pulses"], rel=1e-3)
            assert row["test_accuracy"] == pytest.approx(own["test_accuracy"], abs=1.5)
            assert row["test_loss"] == pytest.approx(own["test_loss"], rel=1e-2)


def test_a_run_keeps_no_counters_of_single_devices_and_its_totals_all_the_same():
    made = plan(small())
    task = made.task(made.packs[2])
    assert not run_of(task).analog.mapping.count_pulses
    assert all(row["pulses"] > 0 for row in compute(task)["rows"])


def test_a_point_that_diverges_is_told_apart_from_those_that_shared_its_run():
    start = 'preset = "ideal"\nseeds = 2\n[set]\ndata = "digits"\ntrain_images = 60\nepochs = 2\n'
    made = plan(loads(start + "[[grid]]\naxes.lr = [0.01, 1e37, 0.02]\n"))
    assert made.packs[1].points == (0, 1, 2)
    rows = compute(made.task(made.packs[1]))["rows"]
    assert {row["point"]: row["status"] for row in rows} == {0: "done", 1: "diverged", 2: "done"}
    (reason,) = {row["reason"] for row in rows if row["point"] == 1}
    assert "diverged" in reason
    lost = next(row for row in rows if row["point"] == 1)
    assert 0 < lost["test_accuracy"] < 100  # that of a network which answers the first class, and not null
    assert lost["test_loss"] is None
    assert not lost["halved"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_out_of_memory_halves_the_pack_and_marks_it(monkeypatch, error):
    made = plan(small())
    plain = compute(made.task(made.packs[1]))["rows"]
    begun = Trainer.__init__

    def small_memory(self, config, data):
        if config.n_chips > 4:
            raise error
        begun(self, config, data)

    monkeypatch.setattr(Trainer, "__init__", small_memory)
    rows = compute(made.task(made.packs[1]))["rows"]
    assert [row["halved"] for row in rows] == [True] * 8
    assert [row["status"] for row in rows] == ["done"] * 8
    for row, before in zip(rows, plain, strict=True):
        assert row["pulses"] == pytest.approx(before["pulses"], rel=0.01)
        assert row["test_loss"] == pytest.approx(before["test_loss"], rel=1e-2)


def test_a_point_without_memory_even_alone_says_so(monkeypatch):
    made = plan(small())

    def no_memory(self, config, data):
        raise MemoryError("12 GB asked for")

    monkeypatch.setattr(Trainer, "__init__", no_memory)
    rows = compute(made.task(made.packs[1]))["rows"]
    assert {(row["status"], row["reason"], row["test_accuracy"]) for row in rows} == {
        ("out of memory", "12 GB asked for", None)
    }


def test_an_error_of_a_users_own_law_is_a_reason_and_missing_data_stop_the_sweep(monkeypatch):
    made = plan(small())

    def fails(self, config, data):
        raise ZeroDivisionError("in my law")

    monkeypatch.setattr(Trainer, "__init__", fails)
    rows = compute(made.task(made.packs[1]))["rows"]
    assert {(row["status"], row["reason"]) for row in rows} == {("failed", "ZeroDivisionError: in my law")}

    def nothing(config):
        raise DataError("no such data")

    with pytest.raises(DataError, match="no such data"):
        compute(made.task(made.packs[1]), nothing)


def test_a_network_that_the_data_do_not_fit_is_refused_with_its_reason():
    start = 'seeds = 1\nbaseline = 98\nset.data = "digits"\nset.epochs = 0\n'
    made = plan(loads(start + '[[grid]]\naxes.network = ["lenet", "fcn"]\n'))
    rows = [row for pack in made.packs for row in compute(made.task(pack))["rows"]]
    assert [row["status"] for row in rows] == ["refused", "done"]
    assert "8x8" in rows[0]["reason"]


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried 1 GB"))
    assert is_out_of_memory(GpuMemoryError("64 chips need 13.1 GiB, 8.0 GiB are free"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError("out of memory"))
