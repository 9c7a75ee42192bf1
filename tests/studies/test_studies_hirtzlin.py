"""The study hirtzlin-2019 on few digits: its rows, its readings beside the closed forms, and its networks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from scipy.stats import norm

from mho.data import load
from mho.inference.differential import Memory
from mho.nn.binary import binary_layers
from mho.studies import run, study
from mho.studies.hirtzlin_2019_parts import READINGS, Settings, at_ratio, network, rates_of, read

SMALL = ["data=digits", "width=16", "epochs=3", "lr=0.01", "chips=2", "rates=[1e-4,0.2]", "ratios=[3.0,100.0]",
         "bits=4096", "threads=1"]  # fmt: skip


def test_its_rows_say_what_errors_cost(tmp_path: Path) -> None:
    rows = {r["case"]: r for r in run("hirtzlin-2019", out=tmp_path, settings=SMALL, progress=False)}
    assert len(rows) == 2 * 5 + 3 + 2 * 2 + 2 * 4 + 1, "five readings, networks, rates, weights, one known distance"
    assert rows["single-ended, ratio 3"]["ours"] > rows["differential, ratio 3"]["ours"] > 0.03
    assert rows["binarised"]["chips"] == 1
    assert rows["binarised, bit error rate 0.0001"]["chips"] == 2
    clean, broken = (rows[f"binarised, bit error rate {rate}"]["ours"] for rate in ("0.0001", "0.2"))
    assert abs(clean - rows["binarised"]["ours"]) < 1
    assert broken < clean - 5
    near, far = (rows[f"weights single-ended, ratio {ratio}"]["ours"] for ratio in ("3", "100"))
    assert near < far
    assert "little impact" in rows["binarised, bit error rate 0.0001, over binarised"]["provenance"]
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    again = {r["case"]: r for r in run("hirtzlin-2019", out=tmp_path, settings=SMALL, progress=False)}
    assert again == rows


def test_readings_err_as_the_closed_forms_say() -> None:
    """Two-sided, 1e-4 false alarms a reading; a word's four bits err together, so words are counted as the samples."""
    states = at_ratio(Settings(), 5.0)
    bits = (torch.arange(40_000) % 3 == 0).view(1, -1)  # one row: no sense amplifier is shared
    for reading in READINGS:
        wrong = (read(Memory(states, 1, (0,), "m"), bits, reading)[0] != bits).double().view(-1, 4).mean(1)
        error = float(wrong.std()) / math.sqrt(len(wrong))
        expected = rates_of(states)[reading]
        if reading == "single-ended":  # a third of the bits are ones, whose error rate is another
            ones, zeros = states.single_errors()
            expected = (ones + 2 * zeros) / 3
        assert abs(float(wrong.mean()) - expected) < norm.ppf(1 - 5e-5) * error, reading


def test_networks_begin_with_the_same_weights() -> None:
    data, settings = load("digits"), Settings(width=16)
    real, binary = (network(settings, data, binary=b, seed=1) for b in (False, True))
    assert [name for name, _ in real.named_parameters()] == [name for name, _ in binary.named_parameters()]
    assert all(torch.equal(a, b) for a, b in zip(real.parameters(), binary.parameters(), strict=True))
    assert list(binary_layers(binary)) == ["1", "4", "7"]
    assert not binary_layers(real)


def test_no_number_that_is_only_recalled_is_compared_with() -> None:
    bench = study("hirtzlin-2019")
    facts = [fact for table in (bench.known, bench.penalty) for row in table.values() for fact in row]  # type: ignore[union-attr]
    assert facts
    assert all(fact.verified for fact in facts)


@pytest.mark.parametrize("mode", ["quick", "full"])
def test_its_modes_are_settings(mode: str) -> None:
    assert study("hirtzlin-2019").configure(mode).threads is None  # type: ignore[union-attr]
