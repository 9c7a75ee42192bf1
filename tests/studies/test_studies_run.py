"""Studies carried out on little data: files, kept cases, divergence, and the slow real thing."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from statistics import fmean

import pytest
import torch
from torch.nn import functional as F

import mho.studies
from mho.config import RunConfig
from mho.data import load
from mho.errors import CheckpointError, ConfigError, NotFiniteError
from mho.folders import cache_root
from mho.nn import convert_to_digital
from mho.studies import run, study
from mho.studies.page import BEGIN, END, page
from mho.train import make_network, train
from mho.train.loop import Trainer, Update
from mho.train.order import Order
from studies.small import settings

CHIPS = {"cristiano-2018": {1, 2, 4}}
"""The numbers of chips of the rows of studies that have several."""
KEYS = {"case", "ours", "std", "chips", "paper", "provenance", "unit"}


def check_results(folder: Path, chips: set[int]) -> list[dict]:
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for row in found:
        assert set(row) == KEYS
        assert row["chips"] in chips
        assert all(isinstance(row[key], float) and math.isfinite(row[key]) for key in ("ours", "std"))
        assert row["paper"] is None or isinstance(row["paper"], float)
    return found


@pytest.mark.parametrize("name", ["gokmen-2016", "gokmen-2017"])
def test_a_study_writes_results_table_and_figure(name: str, small: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread

    cases = [study(name).cases[k].name for k in (0, 1, -1)]
    found = run(name, out=tmp_path, settings=settings(small), cases=cases, progress=False)
    assert check_results(tmp_path, chips={2}) == found
    assert [row["case"] for row in found] == cases
    assert {row["unit"] for row in found} == {"% test accuracy"}
    picture = imread(tmp_path / "figure.png")
    assert picture.shape[0] > 300
    assert 0.01 < (picture[..., :3].min(axis=-1) < 0.5).mean() < 0.5  # neither empty nor black
    assert "<svg" in (tmp_path / "figure.svg").read_text(encoding="utf-8")
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    for fact in ("Seed 0", "2 chips", "summed over the batch", "Batch 8", "output bound 12", "noise 0.06", *cases):
        assert fact in text
    assert "nan" not in text.lower()
    about = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert about["complete"] is False
    assert about["command"].startswith(f"mho study run {name} --quick --set 'data=")


def test_finished_cases_are_kept_and_other_settings_refused(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run("gokmen-2016", out=tmp_path, settings=settings(small), cases=["digital baseline"], progress=False)
    kept = tmp_path / "runs" / "digital-baseline" / "checkpoint" / "model.safetensors"
    before = kept.stat().st_mtime_ns
    both = run("gokmen-2016", out=tmp_path, settings=settings(small), cases=["digital baseline", "BL 1"])
    assert kept.stat().st_mtime_ns == before
    assert both[0] == first[0]
    said = capsys.readouterr().out
    assert "kept from before: digital baseline" in said
    assert "case 1 of 1: BL 1" in said
    with pytest.raises(ConfigError, match="other settings"):
        run("gokmen-2016", out=tmp_path, settings=settings(small), seed=1, progress=False)
    (kept.parent.parent / "summary.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"summary\.json is damaged"):
        run("gokmen-2016", out=tmp_path, settings=settings(small), progress=False)


@pytest.mark.parametrize("complete", [0, 1])
def test_a_diverged_case_reports_an_accuracy_and_the_others_go_on(
    complete: int, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_epoch = Trainer.run_epoch

    def diverge(trainer: Trainer, update: Update | None = None) -> dict:
        if trainer.config.preset == "ideal" and trainer.epoch == complete:
            raise NotFiniteError("fc1: NaN in d")
        return run_epoch(trainer, update)

    # A real run is bounded by its devices (the ideal preset's, too), so its accuracy is bad but finite.
    monkeypatch.setattr(Trainer, "run_epoch", diverge)
    cases = ["digital baseline", "all non-idealities"]
    options = {"settings": settings(small, epochs=2), "cases": cases, "progress": False}
    run("gokmen-2016", out=tmp_path, **options)
    found = check_results(tmp_path, chips={2})
    expected = [100 * float((load(str(small)).test_labels == 0).mean())] * 2
    if complete:
        line = (tmp_path / "runs" / "digital-baseline" / "metrics.jsonl").read_text().splitlines()[-1]
        expected = json.loads(line)["test_accuracy"]
    assert [row["case"] for row in found][:2] == cases
    assert found[0]["ours"] == pytest.approx(fmean(expected), abs=1e-4)
    assert "| digital baseline (diverged) |" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert run("gokmen-2016", out=tmp_path, **options) == found


def test_the_digital_baseline_is_plain_torch() -> None:
    one = study("gokmen-2016")
    chosen = ["data=digits", "epochs=2", "chips=1", "train_images=400", "lr=0.05", "threads=1", "vary=[]"]
    config = one.config(one.baseline, "quick", 0, chosen)
    ours = convert_to_digital(train(config, progress=False).model)
    plain = plain_torch(config)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def plain_torch(config: RunConfig) -> torch.nn.Module:
    """Train with torch alone, from the same weights and in the same order."""
    data = load(config.data).first(config.train_images)
    network = make_network(config.network, data.shape, len(data.classes), seed=config.seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=config.lr)  # type: ignore[arg-type]
    order = Order(config, len(data.train_labels))
    for epoch in range(config.epochs):
        for block in order.blocks(epoch, 1):
            x, y = data.batch(block[0])
            optimizer.zero_grad()
            F.cross_entropy(network(x), y, reduction="sum").backward()
            optimizer.step()
    return network


def test_a_page_takes_results_and_keeps_its_words(small: Path, tmp_path: Path) -> None:
    out, target = tmp_path / "out", tmp_path / "docs" / "gokmen-2016.md"
    with pytest.raises(CheckpointError, match="holds no results of a study"):
        page(out, target)
    run("gokmen-2016", out=out, settings=settings(small), cases=["digital baseline"], progress=False)
    page(out, target)
    begun = target.read_text(encoding="utf-8")
    target.write_text("# Words before\n\n" + begun.partition("\n\n")[2] + "\nWords after\n", encoding="utf-8")
    page(out, target)
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# Words before\n")
    assert text.endswith("\nWords after\n")
    assert text.count("| digital baseline |") == text.count(BEGIN) == text.count(END) == 1
    assert "Not all cases were run." in text
    assert target.with_suffix(".png").read_bytes() == (out / "figure.png").read_bytes()
    assert target.with_suffix(".json").read_bytes() == (out / "results.json").read_bytes()
    target.write_text("no place\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="has no place for results"):
        page(out, target)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gokmen-2016", "gokmen-2017", "kim-2019", "cristiano-2018", "ambrogio-2018"])
def test_quick_ends_in_ten_minutes_on_real_mnist(name: str, tmp_path: Path) -> None:
    if not (cache_root() / "mnist" / "train-images-idx3-ubyte").exists():
        pytest.skip("mnist is not cached; run scripts/fetch_test_data.py")
    start = time.process_time()
    mho.studies.run(name, "quick", out=tmp_path, settings=["threads=1"])
    assert time.process_time() - start < 600  # of one core, so that other work on the machine does not count
    found = {row["case"]: row["ours"] for row in check_results(tmp_path, chips=CHIPS.get(name, {len_chips(name)}))}
    if name == "gokmen-2016":
        assert found["digital baseline"] > 92
        assert found["+ BL management"] > found["digital baseline"] - 1
    elif name == "kim-2019":
        assert found["digital baseline"] > 90
        assert found["no zero-shifting, ratio 3"] < 30
        assert found["exact symmetry point, ratio 3"] > found["no zero-shifting, ratio 1"] - 10
    elif name == "cristiano-2018":
        assert found["MSP + LSP"] > found["digital baseline"] - 1
        assert found["MSP + LSP"] > found["single one-sided pair"]
        assert found["unlike devices: saturated only"] < found["unlike devices: tuned"] - 3
        assert found["LSP, jump 0.2"] < found["MSP, jump 0.4"] - 1
        assert found["MSP + LSP, LSP, pulses per device: mean"] > 10 * found["MSP + LSP, MSP, pulses per device: mean"]
    elif name == "ambrogio-2018":
        assert found["MSP + LSP"] > found["digital baseline"] - 0.5
        assert found["single PCM pair"] < 60
        assert found["no inversion, asymmetry 0.5"] < found["MSP + LSP, what it takes, asymmetry 0.5"] - 5
        assert found["Fashion-MNIST: finer LSP"] > found["Fashion-MNIST: MSP + LSP"]
    else:
        assert found["digital baseline"] > 96
        assert found["all non-idealities"] < 90
        assert found["everything on"] > found["digital baseline"] - 1


def len_chips(name: str) -> int:
    return int(study(name).modes["quick"]["chips"])
