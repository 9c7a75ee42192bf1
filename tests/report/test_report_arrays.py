"""The report of a run whose weights are made of several arrays: each has its figures, and the weights are their sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.config import RunConfig
from mho.data import load
from mho.report import write_report
from mho.report.layers import tile_weights
from mho.report.rundir import Arrays
from mho.report.tilefiles import find_parts, find_tiles
from mho.train import train
from report.pages import words_of


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    config = RunConfig(data="digits", preset="gokmen-2017").with_(
        {"epochs": 1, "threads": 1, "train_images": 60, "rule": "msp-lsp", "cell.pair": "differential",
         "cell.minus": "soft-bounds", "every": 25, "mapping.max_rows": 100}
    )  # fmt: skip
    return train(config, out=tmp_path_factory.mktemp("arrays") / "run", progress=False, data=load("digits"))


def test_every_array_has_its_figures_and_only_the_layer_has_weights(result):
    page = words_of(write_report(result.folder))
    for head in ("Layer fc1", "Layer fc1 (lsp)", "Layer fc1 (msp minus)", "(rule.lsp.device)", "(cell.minus)"):
        assert head in page
    html = Path(result.folder, "report.html").read_text(encoding="utf-8")
    assert "pulses-fc1 (lsp)" in html
    assert "weights-fc1 (lsp)" not in html


def test_weights_are_what_the_block_shows(result):
    arrays = Arrays(result.folder / "checkpoint" / "model.safetensors")
    analog = result.summary and RunConfig(preset="gokmen-2017", data="digits").analog.with_({"mapping.max_rows": 100})
    tiles = find_tiles(arrays, analog, ["fc1"])["fc1"]
    layer = result.model.get_submodule("fc1")
    shown = layer.get_weights()[0].numpy()
    for tile in tiles:
        own = tile_weights(arrays, tile)[:, :, : shown.shape[2]]
        np.testing.assert_allclose(own, shown[:, tile.rows], rtol=0, atol=1e-6)
    parts = [str(part) for part in find_parts(arrays, analog, ["fc1"]) if part.layer == "fc1"]
    assert parts == ["fc1", "fc1 (lsp)", "fc1 (msp minus)"]
