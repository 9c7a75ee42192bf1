"""Ablations from a configuration to their files: one with a known answer, interrupted ones, diverging ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mho.ablation import Options, ablate, resume
from mho.ablation.arms import CONFIGURED, NONE
from mho.ablation.table import last_line
from mho.config import RunConfig, load
from mho.devices import ConstantStep, Spread
from mho.errors import CheckpointError, ConfigError, NotFiniteError
from mho.periphery.settings import Periphery
from mho.train import Trainer
from mho.update.settings import Update

TINY = f"{Path(__file__).with_name('networks.py')}:tiny"
FILES = {
    "ablation.html",
    "ablation.json",
    "config.toml",
    "figure.png",
    "figure.svg",
    "options.json",
    "table.md",
    "runs",
}


def small(**changes: Any) -> RunConfig:
    """Return a run of a moment on the built-in digits."""
    given = {"data": "digits", "network": TINY, "train_images": 400, "epochs": 2, "lr": 0.05, "threads": 1}
    return RunConfig(**{**given, **changes})


def one_killer() -> RunConfig:
    """Return a run with fine devices and products, but for a 2-bit ADC."""
    device = ConstantStep(
        dw_min=Spread(0.0005, d2d=0.05), up_down=Spread(1.0), w_max=Spread(4.0), w_min=Spread(-4.0), c2c=0.1
    )
    side = Periphery(dac_bits=10, adc_bits=2, output_noise=0.01, output_bound=20.0)
    config = small(epochs=4).with_({"device": device, "update": Update(bl=64)})
    return config.with_({"forward": side, "backward": replace(side, adc_bits=12)})


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ablate(one_killer(), Options(3), out=tmp_path_factory.mktemp("killer"), progress=False)


def test_one_bad_property_is_found(killed: Any) -> None:
    top = killed.rows[0]
    assert top.name == "ADC"
    assert top.off.points > 10
    assert top.off.significant
    assert top.alone is not None
    assert top.alone.points > 10
    assert top.alone.significant
    others = [c for row in killed.rows[1:] for c in (row.off, row.alone) if c is not None and c.significant]
    assert all(c.points < 5 for c in others)
    assert last_line(killed.rows).startswith("ADC costs most: +")


def test_the_ends(killed: Any) -> None:
    mean = {name: sum(end.accuracy) / 3 for name, end in killed.ended.items()}
    assert mean[NONE] - mean[CONFIGURED] > 10
    # With everything off the devices compute like digital ones: the chips of the baseline start from other weights.
    assert mean[NONE] == pytest.approx(mean["digital"], abs=5)


def test_its_files(killed: Any) -> None:
    folder = killed.folder
    assert {p.name for p in folder.iterdir()} == FILES
    data = json.loads((folder / "ablation.json").read_text())
    assert [row["property"] for row in data["rows"]] == [row.name for row in killed.rows]
    top = data["rows"][0]
    means = {arm["arm"]: arm["mean"] for arm in data["arms"]}
    assert top["off"]["points"] == pytest.approx(means["ADC off"] - means[CONFIGURED], abs=1e-5)
    assert top["alone"]["points"] == pytest.approx(means[NONE] - means["ADC alone"], abs=1e-5)
    assert all(len(arm["test_accuracy"]) == 3 for arm in data["arms"])
    table = (folder / "table.md").read_text()
    assert "| ADC | forward 2 bits, backward 12 bits | +" in table
    assert "Holm" in table
    page = (folder / "ablation.html").read_text()
    assert "What each property costs" in page
    assert "https://cdn" not in page.split("plotly.js")[0]
    assert not list((folder / "runs").glob("**/checkpoint"))
    assert load(folder / "config.toml").chips == 1


def test_given_again_it_keeps_what_is_there(killed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "run_epoch", lambda *_: pytest.fail("it trained again"))
    assert ablate(one_killer(), Options(3), out=killed.folder, progress=False).rows == killed.rows
    assert resume(killed.folder, progress=False).rows == killed.rows
    with pytest.raises(ConfigError, match="--resume"):
        ablate(one_killer(), Options(2), out=killed.folder, progress=False)


def test_stopped_and_resumed_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, options = small(train_images=60), Options(2, only=("ADC", "c2c noise"))
    whole = ablate(config, options, out=tmp_path / "whole", progress=False)
    kept = Trainer.run_epoch

    def stop(trainer: Trainer, update: Any = None) -> dict[str, Any]:
        if trainer.epoch == 1:
            raise KeyboardInterrupt
        return kept(trainer, update)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            ablate(config, options, out=tmp_path / "parts", progress=False)
    assert resume(tmp_path / "parts", progress=False).rows == whole.rows
    assert [row.name for row in sorted(whole.rows, key=lambda row: row.name)] == ["ADC", "c2c noise"]


def test_an_arm_that_diverges_is_told_and_the_others_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Trainer.run_epoch

    def diverge(trainer: Trainer, update: Any = None) -> dict[str, Any]:
        line = kept(trainer, update)
        if 2 in trainer.config.chip_ids:  # the second arm
            raise NotFiniteError("the run diverged")
        return line

    monkeypatch.setattr(Trainer, "run_epoch", diverge)
    found = ablate(small(train_images=60), Options(2, only=("ADC",)), out=tmp_path / "new", progress=False)
    lost = [name for name, end in found.ended.items() if end.why]
    assert lost == [found.plan.arms[1].name]
    assert found.plan.arms[1].name == "ADC off"
    assert found.rows[0].off.diverged
    assert found.rows[0].alone is not None
    assert not found.rows[0].alone.diverged
    assert "(diverged)" in (tmp_path / "new" / "table.md").read_text()
    assert "the run diverged" in (tmp_path / "new" / "ablation.html").read_text()
    monkeypatch.setattr(Trainer, "run_epoch", lambda *_: pytest.fail("it trained again"))
    assert resume(tmp_path / "new", progress=False).rows == found.rows


def test_one_chip_for_each_arm_has_no_error(tmp_path: Path) -> None:
    found = ablate(small(train_images=40, epochs=1), Options(1, only=("DAC",)), out=tmp_path / "one", progress=False)
    assert not found.rows[0].off.significant
    assert json.loads((tmp_path / "one" / "ablation.json").read_text())["rows"][0]["off"]["error"] is None
    assert "DAC costs most" in last_line(found.rows)


def test_a_directory_of_something_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not an empty directory"):
        ablate(small(), out=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="no ablation to resume"):
        resume(tmp_path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_arm_has_chips() -> None:
    with pytest.raises(ConfigError, match="found 0"):
        Options(0)
