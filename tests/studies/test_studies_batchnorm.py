"""The study batchnorm-noise: what its noise is, that its networks differ in one thing, and its rows on few digits."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
import torch
from torch import nn

from mho.data import load
from mho.nn import L1BatchNorm2d, TopKBatchNorm2d
from mho.studies import run
from mho.studies.batchnorm_noise_parts import (
    DEVIATION,
    KINDS,
    LARGEST,
    Settings,
    accuracies,
    network,
    noisy_weights,
)

SMALL = Settings(data="digits", width=4)


def test_networks_differ_in_their_normalisation_alone() -> None:
    data = load("digits")
    made = {kind: network(kind, data, SMALL, seed=1) for kind in KINDS}
    norms = [type(made[kind].norm22) for kind in KINDS]
    assert norms == [nn.Identity, nn.BatchNorm2d, L1BatchNorm2d, TopKBatchNorm2d]
    weights = [{n: p for n, p in m.named_parameters() if not n.startswith("norm")} for m in made.values()]
    assert all(torch.equal(w[name], weights[0][name]) for w in weights for name in weights[0])
    other = network(KINDS[0], data, SMALL, seed=2)
    assert not torch.equal(other.conv11.weight, made[KINDS[0]].conv11.weight)


def test_noise_has_its_size_and_the_draws_of_its_chip() -> None:
    model = network("L2", load("digits"), SMALL, seed=1)
    w = model.conv32.weight.detach()
    for unit, size in ((LARGEST, w.abs().max()), (DEVIATION, w.std(correction=0))):
        one = noisy_weights(model, 0.1, unit, 5, tuple(range(20)))["conv32"] - w  # type: ignore[arg-type]
        n = one.numel()
        assert float(one.mean()) == pytest.approx(0, abs=5 * 0.1 * float(size) / n**0.5)
        assert float(one.std() / size) == pytest.approx(0.1, rel=5 / (2 * n) ** 0.5)
        more = noisy_weights(model, 0.3, unit, 5, (7,))["conv32"] - w  # type: ignore[arg-type]
        torch.testing.assert_close(more[0], 3 * one[7], rtol=1e-4, atol=1e-6)
    assert sorted(noisy_weights(model, 0.1, LARGEST, 5, (0,))) == [
        *(f"conv{n}" for n in (11, 12, 21, 22, 31, 32)),
        "fc",
    ]


def test_without_noise_every_chip_has_the_networks_accuracy() -> None:
    data = load("digits").first(50, 100)
    model = network("TopK", data, SMALL, seed=1).eval()
    with torch.no_grad():
        right = (model(data.test_x).argmax(1) == data.test_y).double().mean()
    assert len(data.test_y) == 100
    assert accuracies(model, data, 0.0, LARGEST, seed=0, chips=(3, 4)) == pytest.approx([100 * float(right)] * 2)


def test_its_rows_say_what_is_kept(tmp_path: Path) -> None:
    small = ["data=digits", "train_images=300", "test_images=100", "width=4", "epochs=1", "chips=3", "networks=2",
             "largest=[0.01,0.2]", "deviation=[0.5]", "threads=1"]  # fmt: skip
    rows = {r["case"]: r for r in run("batchnorm-noise", out=tmp_path, settings=small, progress=False)}
    assert len(rows) == 4 * (1 + 2 + 1 + 1 + 1 + 1)
    assert [rows[k]["chips"] for k in ("L1", "L1, noise of 0.2 x largest weight", "L1, largest weight")] == [2, 6, 2]
    noisy = [rows[f"L2, noise of {level} x largest weight"]["ours"] for level in (0.01, 0.2)]
    kept = rows["L2, kept of noise / largest weight"]["ours"]
    assert kept == pytest.approx(100 * fmean(noisy) / rows["L2"]["ours"], rel=0.2)  # exact with one network
    assert rows["L1, kept of noise / largest weight"]["provenance"] == "[ABS] resists noise better than L2"
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| | noise / largest weight: points, chips that keep more | noise / standard deviation: points" in table
    assert "of 6 |" in table[table.index("**kept beside L2") :]
    assert sorted(p.name for p in (tmp_path / "models").iterdir())[:2] == ["l1-0.safetensors", "l1-1.safetensors"]
    assert (tmp_path / "figure.png").stat().st_size > 10_000
