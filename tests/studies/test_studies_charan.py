"""charan-2020 on little data: every method on the same unseen chips, what it costs, and going on after a kill."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import mho.studies.charan_2020_chips as parts
from mho.data import Dataset
from mho.errors import ConfigError
from mho.folders import cache_root
from mho.inference.programming import programmed_blocks
from mho.studies import Context, run, study
from mho.studies.charan_2020_chips import CHIPS, on_chips
from mho.studies.charan_2020_settings import Settings, Task
from mho.train import make_network

STEPS = ("MNIST: chips", "MNIST: RSA")


def little(data: Path) -> list[str]:
    """Return the settings of a study of seconds."""
    return [
        "chips=2", "threads=1", f'mnist.data="{data}"', "mnist.epochs=6", "mnist.batch_size=8", "mnist.aware_epochs=2",
        "mnist.fractions=[0.05, 0.2]", "mnist.calibration=40", "mnist.adapt_epochs=2",
    ]  # fmt: skip


def test_all_methods_run_and_a_killed_study_goes_on(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"out": tmp_path, "settings": little(small), "cases": STEPS, "progress": False}
    whole, fractions = parts._adapt_all, []

    def killed(*given: object) -> object:
        fractions.append(given[-1])
        if len(fractions) == 3:
            raise KeyboardInterrupt
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(parts, "_adapt_all", killed)
    with pytest.raises(KeyboardInterrupt):
        run("charan-2020", **options)
    rows = run("charan-2020", **options)
    assert fractions == [0.05, 0.2, 0.05, 0.05, 0.2]  # what was done before the kill is kept
    name = f"{small.name} for MNIST"
    found = {row["case"].removeprefix(f"{name}: "): row for row in rows}
    chips = {case: found[case]["ours"] for case in ("programmed", "VAT", "KD", "RSA 20 %", "KD + RSA 20 %")}
    assert all(0 <= accuracy <= 100 for accuracy in chips.values())
    assert found["programmed, levels only"]["std"] == 0.0
    assert {found[case]["chips"] for case in chips} == {2}
    assert all(row["paper"] is None for row in rows), "numbers of MNIST stand beside other data"
    assert found["speed-up at 5 %, writes of 6.5 us"]["ours"] > 1
    assert found["speed-up at 5 %, writes of 4.5 ms"]["ours"] > found["speed-up at 5 %, writes of 6.5 us"]["ours"]
    wired, listed = found["memory at 20 %"]["ours"], found["memory at 20 %, positions listed"]["ours"]
    assert 40 < wired < 40.5 < listed  # 8 bits for each fifth weight of 4 bits, and an exponent a layer
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert f"**{name}**" in text
    assert f"**{name}: cost**" in text


def test_chips_are_the_same_for_all_networks_and_alone_as_together(tmp_path: Path) -> None:
    context = Context(Settings(chips=3), 0, tmp_path, tmp_path)
    first, second = (make_network("lenet-5", (1, 14, 14), 4, seed=s) for s in (1, 2))
    stuck = []
    for network, chips in ((first, [0, 1, 2]), (second, [0, 1, 2]), (second, [2])):
        model, _ = on_chips(context, network, chips, CHIPS["w(1 + n)"])
        stuck.append([block.stuck for block in programmed_blocks(model)])
    for one, other, alone in zip(*stuck, strict=True):
        assert one is not None
        assert torch.equal(one, other)
        assert torch.equal(other[2:], alone)
        assert not torch.equal(one[0], one[1])


def test_batchnorm_measures_again_on_every_chip_where_there_is_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 32, 32), np.uint8)
    labels = np.arange(40) % 4
    data = Dataset("little", ("a", "b", "c", "d"), images, labels, images, labels)
    context = Context(Settings(chips=2), 0, tmp_path, tmp_path, progress=False, loaded={"little": data})
    for network, wanted in (("vgg-16-w2", True), ("lenet-5", False)):
        made = make_network(network, data.shape, 4, seed=1)
        monkeypatch.setattr(parts, "network_of", lambda *_, made=made: made.eval())
        task = Task(network, "little", calibration=20)
        rows = {r.case: r for r in parts.programmed(context, task, network, kinds=("vat",))}
        assert (f"{network}: VAT, BatchNorm measured again" in rows) is wanted
        if wanted:  # averages of the images that are tested, instead of none at all
            again, before = rows[f"{network}: VAT, BatchNorm measured again"], rows[f"{network}: VAT"]
            assert again.values != before.values


def test_the_chips_are_those_of_the_paper() -> None:
    usual, swapped = CHIPS["w(1 + n)"], CHIPS["faults swapped"]
    assert usual.conductances.levels == 16
    assert (usual.faults.low, usual.faults.high) == (swapped.faults.high, swapped.faults.low) == (0.0904, 0.0175)
    assert (usual.error.model, usual.error.c2c) == ("multiplicative", 0.1)
    assert (CHIPS["w exp(n)"].error.model, CHIPS["w exp(n)"].error.c2c) == ("log-normal", 0.1)
    assert not CHIPS["levels only"].faults.present
    assert CHIPS["levels only"].error.model == CHIPS["levels and faults"].error.model == "none"


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for bad, says in (
        ("mnist.epochs=0", "epochs must be at least 1"),
        ("cifar.fractions=[]", "above 0 and at most 1"),
        ("mnist.fractions=[2.0]", "above 0 and at most 1"),
        ("chips=0", "chips must be at least 1"),
        ("cifar.chips=0", "chips must be at least 1, or"),
        ("mnist.deviations=-1", "deviations must be 0 or above"),
        ("fractions=[0.1]", "stands for several settings"),
        ('mnist.optimizer="sgdm"', "did you mean 'sgd'"),
    ):
        with pytest.raises(ConfigError, match=says):
            run("charan-2020", out=tmp_path / "new", settings=[bad], progress=False)
    assert Task("lenet-5", "mnist").train_images is None


def test_only_distances_of_cifar_10_stand_beside_published_ones() -> None:
    bench = study("charan-2020")
    assert not any(r.value for name, rs in bench.known.items() if name.startswith("CIFAR") for r in rs)
    assert all(r.value is not None and r.value < 0 for rs in bench.penalty.values() for r in rs)


@pytest.mark.slow
def test_quick_ends_in_ten_minutes(tmp_path: Path) -> None:
    if not (cache_root() / "mnist" / "train-images-idx3-ubyte").exists():
        pytest.skip("mnist is not cached; run scripts/fetch_test_data.py")
    start = time.process_time()
    run("charan-2020", "quick", out=tmp_path, settings=["threads=1"], cases=STEPS)
    assert time.process_time() - start < 600
    found = {r["case"]: r["ours"] for r in json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))}
    assert found["MNIST: digital"] > 95
    assert found["MNIST: programmed"] < found["MNIST: KD"] < found["MNIST: KD + RSA 7 %"]
