"""`mho rules`, and `mho train --rule NAME` with its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mho.train.run
from mho.cli.app import run
from mho.config import load
from mho.update.rules import rules
from rules.cases import NAMES, PATHS, case, config, rule

FEW = ("--data", "digits", "--epochs", "1", "--set", "train_images=40", "--threads", "1")


@pytest.fixture(autouse=True)
def _short_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mho.train.run, "_report", lambda folder: Path(folder, "report.html").write_text("short"))


def trained(folder: Path, *options: str) -> tuple[Any, dict[str, Any]]:
    """Train a little into a folder; return the configuration and the summary that were written."""
    assert run(["train", *FEW, *options, "--out", str(folder)]) == 0
    return load(folder / "config.toml").analog, json.loads((folder / "summary.json").read_text())


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return the one line that a command says when it is refused."""
    assert run(["train", *FEW, *options]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said
    return said


def test_rules_are_listed_with_what_they_are_and_where_they_were_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == list(rules())
    assert all(len(row) == 3 and all(row) for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_by_every_rule(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    analog, summary = trained(tmp_path / "run", "--rule", PATHS.get(name, name), "--chips", "2")
    assert capsys.readouterr().out.splitlines()[-1].startswith("test accuracy ")
    assert analog.rule == rule(name)
    for layer in ("fc1", "fc2", "fc3"):
        (block,) = summary["rules"][layer]
        assert set(block) == {*case(name).arrays, *case(name).tally}
    moved = case(name).arrays[-1]  # what samples pulse
    assert min(summary["rules"]["fc3"][0][moved]["pulses"]) > 0


def test_settings_of_a_rule_by_path(tmp_path: Path) -> None:
    analog, _ = trained(
        tmp_path / "run", "--rule", "tiki-taka", "--set", "rule.fast_lr=0.3", "--set", "rule.schedule.every=4",
        "--set", 'rule.fast.device="soft-bounds"', "--set", "rule.fast.device.dw_min=0.002",
    )  # fmt: skip
    wanted = {"fast_lr": 0.3, "schedule.every": 4, "fast.device": "soft-bounds"}
    assert analog.rule == config("tiki-taka", wanted).with_({"rule.fast.device.dw_min": 0.002}).rule


def test_a_rule_of_one_layer(tmp_path: Path) -> None:
    _, summary = trained(tmp_path / "run", "--set", 'layers.fc1.rule="ttv2"')
    assert [set(summary["rules"][layer][0]) for layer in ("fc1", "fc2")] == [
        {"weight", "fast", "transfer_reads"}, {"weight"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rule", "ttv3"), "'ttv3' is no rule; did you mean 'ttv2'"),
        (("--rule", "tikitaka"), "did you mean 'tiki-taka'"),
        (("--rule", "ttv2", "--set", "rule.schedule.every=0"), "from 1, found 0; give 1"),
        (("--rule", "ttv2", "--set", "rule.fast_rate=1"), "did you mean 'fast_lr'"),
        (("--rule", "msp-lsp", "--set", "rule.gain=0"), "no weight is held by the MSP, found 0.0; give 3"),
        (("--rule", "agad", "--set", 'device="unipolar-soft-bounds"'), 'give cell.pair = "one-sided"'),
        (("--rule", "ttv2", "--set", "rule.fast_lr=[0.1,0.2,0.3]", "--chips", "2"), "lists 3 values for chips"),
        (("--rule", "msp-lsp", "--set", "rule.gain=500", "--set", "device.dw_min=0.02"), "makes weights unreachable"),
        (("--set", 'layers.fc1.rule="ttv3"'), "'ttv3' is no rule; did you mean 'ttv2'"),
        (("--rule", "nowhere.py:Mine"), "nowhere.py"),
    ],
    ids=str,
)
def test_a_mistake_is_told_in_one_line(
    options: Any, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, *options)
