"""The study malhotra-2019 on few digits: its rows, its exact draws, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mho.data import load
from mho.errors import ConfigError
from mho.nn.bayesian import bayesian_layers, posterior
from mho.studies import run, study
from mho.studies.malhotra_2019_parts import METRICS, Settings, gaussian, mean_probabilities, network, probabilities

SMALL = ["data=digits", "strange=digits", "width=16", "epochs=4", "lr=0.01", "chips=2", "samples=3", "c2c=[0.1,0.5]",
         "d2d=[0.0,0.2]", "threads=1"]  # fmt: skip


def test_its_rows_compare_draws_with_a_deterministic_network(tmp_path: Path) -> None:
    rows = {r["case"]: r for r in run("malhotra-2019", out=tmp_path, settings=SMALL, progress=False)}
    cases = ["deterministic", "Bayesian, means only", "Bayesian, exact draws"]
    cases += [f"device-to-device spread {d2d}, c2c {c2c}" for d2d in ("0", "0.2") for c2c in ("0.1", "0.5")]
    cases += ["Bayesian, trained for the device, c2c 0.5"]
    assert len(rows) == 3 + len(METRICS) * len(cases) + 1
    for case in cases:
        assert rows[f"{case}: strange images told by entropy"]["ours"] == pytest.approx(0.5), (
            "these are the same images"
        )
    accuracy = {case: rows[f"{case}: accuracy"]["ours"] for case in cases}
    assert min(accuracy[case] for case in cases[:4]) > 75
    assert accuracy[cases[-1]] > accuracy["device-to-device spread 0, c2c 0.5"], "training for the device is to help"
    exact, device = (rows[f"{case}: accuracy"] for case in (cases[2], cases[3]))
    assert exact["chips"] == device["chips"] == 2
    assert abs(exact["ours"] - device["ours"]) < 3
    assert rows["writes of one prediction"]["ours"] == 3 * 2 * (64 * 16 + 16 * 16 + 16 * 10)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_one_exact_draw_is_a_network_with_these_weights() -> None:
    data = load("digits")
    model = network(Settings(width=8), data, floor=0.0, seed=1).eval()
    drawn = {name: gaussian(name, layer, 0, seed=4, chips=(0, 3)) for name, layer in bayesian_layers(model).items()}
    (seen,) = mean_probabilities(model, [data.test_x], lambda name, *_: drawn[name], samples=1, chips=2)
    for chip in range(2):
        with torch.no_grad():
            for name, layer in bayesian_layers(model).items():
                layer.weight.copy_(drawn[name][chip])
        torch.testing.assert_close(seen[chip], probabilities(model, data.test_x, 1)[0])
    alone = gaussian("1", bayesian_layers(model)["1"], 0, seed=4, chips=(3,))
    mean, std = posterior(bayesian_layers(model)["1"])
    assert alone.shape == (1, *mean.shape)
    assert float(((alone[0] - mean) / std).std()) == pytest.approx(1, abs=0.2)


def test_strange_images_have_the_shape_of_the_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two data sets of images of one shape"):
        run("malhotra-2019", out=tmp_path, settings=["data=digits", "strange=mnist"], progress=False)


def test_no_number_that_is_only_recalled_is_compared_with() -> None:
    facts = [fact for row in study("malhotra-2019").known.values() for fact in row]  # type: ignore[union-attr]
    assert facts
    assert all(fact.verified and fact.value is None for fact in facts)
