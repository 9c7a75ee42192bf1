"""The report says what the files of the run say, in one page that needs no network."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from safetensors.torch import load_file, save_file

from mho.config import load
from mho.data import load as load_data
from mho.devices import SoftBounds, Spread
from mho.nn import AnalogLayer, convert_to_analog
from mho.report import write_report
from mho.report.layers import read_layers
from mho.report.rundir import Arrays
from mho.train import make_network
from report.pages import figures, trace, words_of

LAYERS = ("fc1", "fc2", "fc3")


def model_of(run: Path) -> torch.nn.Module:
    """Return the trained model, by the way that training itself makes it."""
    config = load(run / "config.toml")
    data = load_data("digits")
    network = make_network(config.network, tuple(data.train_images.shape[1:]), 10, seed=config.seed)
    model = convert_to_analog(network, config.analog, chips=config.chip_ids, seed=config.seed)
    model.load_state_dict(load_file(run / "checkpoint" / "model.safetensors"))
    return model


def layers_of(model: torch.nn.Module) -> dict[str, AnalogLayer]:
    return {m.name: m for m in model.modules() if isinstance(m, AnalogLayer)}


def test_histograms_are_those_of_the_checkpoint(run: Path) -> None:
    found, layers = figures(write_report(run)), layers_of(model_of(run))
    assert tuple(layers) == LAYERS
    for name, layer in layers.items():
        weight, bias = layer.get_weights()
        assert layer.array_bias
        full = torch.cat([weight, bias.unsqueeze(2)], dim=2).numpy()
        bars = trace(found[f"weights-{name}"], "")
        centres, width = np.array(bars["x"]), bars["width"]
        ours, _ = np.histogram(full, len(centres), (full.min(), full.max()))
        assert bars["y"] == ours.tolist()
        assert centres[0] - width / 2 == pytest.approx(full.min(), rel=1e-4)
        states = trace(found[f"states-{name}"], "states")
        assert sum(states["y"]) == sum(tile.state.numel() for tile in layer.analog_tiles())


def test_pulses_are_those_of_the_checkpoint(run: Path) -> None:
    found, layers = figures(write_report(run)), layers_of(model_of(run))
    for name, layer in layers.items():
        counts = np.concatenate([tile.counts.numpy().ravel() for tile in layer.analog_tiles()])
        outline = trace(found[f"pulses-{name}"], "devices")
        edges = np.array(outline["x"])
        assert outline["y"][:-1] == np.histogram(counts, edges)[0].tolist()
        assert sum(outline["y"]) == np.count_nonzero(counts) > 0
        assert edges[0] == 1
        assert edges[-1] > counts.max()
        totals = sum(int(tile.totals.sum()) for tile in layer.analog_tiles())
        lines = trace(found["pulses-per-epoch"], name)
        assert sum(lines["y"]) * 2 == pytest.approx(totals, rel=1e-5)


def test_map_puts_every_tile_in_its_place(run: Path) -> None:
    layer = layers_of(model_of(run))["fc1"]
    grid = layer.grids[0]
    assert (len(grid.row_parts), len(grid.column_parts)) == (3, 2)
    full = np.zeros((256, 65))
    for k, (r0, r1), (c0, c1), _, biased in grid.spans:
        full[r0:r1, c0 : c1 + biased] = grid.tile_list[k].counts.double().mean(dim=(0, 1)).numpy()
    drawn = np.array(trace(figures(write_report(run))["map-fc1"], "")["z"])
    assert drawn.shape == (48, 65)
    starts = np.linspace(0, 256, 48, endpoint=False).astype(int)
    for row in (0, 20, 47):
        stop = [*starts[1:], 256][row]
        np.testing.assert_allclose(drawn[row], full[starts[row] : stop].mean(axis=0), rtol=1e-5)


def test_shares_at_the_bounds(run: Path) -> None:
    path = run / "checkpoint" / "model.safetensors"
    tensors = load_file(path)
    tile = "fc3.grids.0.blocks.0.arrays.weight.tiles.0."
    state, low, high = (tensors[tile + key] for key in ("state", "cell_bottom", "cell_top"))
    state[1, 0, :3, :50] = high[1, 0, :3, :50]
    state[0, 0, 5, :20] = (low + 0.009 * (high - low))[0, 0, 5, :20]
    state[0, 0, 6, :20] = (low + 0.011 * (high - low))[0, 0, 6, :20]
    save_file(tensors, path)
    layers = read_layers(Arrays(path), load(run / "config.toml").analog, [])
    bounds = next(x.bounds for x in layers if x.name == "fc3")
    assert bounds is not None
    near = 0.01 * (high - low)
    for share, there in ((bounds.at_low, state <= low + near), (bounds.at_high, state >= high - near)):
        np.testing.assert_allclose(share, there.double().mean(dim=(1, 2, 3)).numpy(), atol=1e-12)
    assert bounds.at_high[1] >= 150 / 1290
    assert bounds.at_low[0] >= 20 / 1290
    assert bounds.low.mean == pytest.approx(float(low.double().mean()))
    assert bounds.high.std == pytest.approx(float(high.double().std(correction=0)))


def test_accuracy_and_loss_are_those_of_the_metrics(run: Path) -> None:
    page = write_report(run)
    found = figures(page)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for figure, key, name in (("accuracy", "test_accuracy", "test"), ("loss", "train_loss", "training")):
        drawn = trace(found[figure], name)
        assert drawn["x"] == [1, 2]
        assert drawn["y"] == pytest.approx([np.mean(line[key]) for line in lines], rel=1e-5)
        thin = [t for t in found[figure]["data"] if not t["name"]]
        assert len(thin) >= 2
    accuracy = lines[-1]["test_accuracy"]
    assert f"{np.mean(accuracy):.2f} % ± {np.std(accuracy, ddof=1):.2f} over 2 chips" in words_of(page)
    quantiles = np.array([line["max_abs_d"]["fc2"] for line in lines])
    assert trace(found["max-abs-d"], "fc2")["y"] == pytest.approx(quantiles[:, 3].tolist(), rel=1e-5)


def test_many_chips_have_a_band(run: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(40, 60, (3, 64))
    lines = [{"epoch": e + 1, "test_accuracy": values[e].tolist()} for e in range(3)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    low, high, *thin, mean = figures(write_report(run))["accuracy"]["data"]
    std = values.std(axis=1, ddof=1)
    assert low["y"] == pytest.approx((values.mean(axis=1) - std).tolist(), rel=1e-5)
    assert high["y"] == pytest.approx((values.mean(axis=1) + std).tolist(), rel=1e-5)
    assert high["fill"] == "tonexty"
    assert [t["y"][0] for t in thin] == pytest.approx([values[0].min(), values[0].max()], rel=1e-5)
    assert mean["y"] == pytest.approx(values.mean(axis=1).tolist(), rel=1e-5)


def test_page_stands_alone(run: Path) -> None:
    page = write_report(run)
    text = page.read_text(encoding="utf-8")
    assert page == run / "report.html"
    assert page.stat().st_size < 6e6
    assert text.count("Plotly.newPlot(plot") == 1
    assert len(figures(page)) == 4 + 4 * 3 + 2 * 1

    class Links(HTMLParser):
        outside: list[str] = []  # noqa: RUF012
        ids: list[str] = []  # noqa: RUF012
        inside: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for key, value in attrs:
                if key == "id":
                    self.ids.append(value or "")
                if key in ("src", "href", "action") and value:
                    (self.inside if value.startswith("#") else self.outside).append(value)

    links = Links()
    links.feed(text)
    assert links.outside == ["data:,"]
    assert {link[1:] for link in links.inside} <= set(links.ids)
    assert len(set(links.ids)) == len(links.ids)
    assert not list(run.glob(".*"))


def test_figures_are_valid_plotly(run: Path) -> None:
    for name, figure in figures(write_report(run)).items():
        made = go.Figure(figure)
        assert made.layout.xaxis.title.text, name
        assert made.layout.yaxis.title.text, name


def test_changed_settings_are_marked(run: Path) -> None:
    text = write_report(run).read_text(encoding="utf-8")
    marked = set(re.findall(r"<tr class=changed><td>(\w+)</td>", text))
    assert {"data", "epochs", "chips", "train_images"} <= marked
    assert not {"preset", "network", "lr", "bl", "dw_min"} & marked


def test_symmetry_point_is_marked(run: Path) -> None:
    config = load(run / "config.toml")
    from mho.config import save

    save(config.with_(device=SoftBounds(up_down=Spread(1.2)), layers={}), run / "config.toml")
    page = write_report(run)
    point = trace(figures(page)["steps-0"], "symmetry point")["x"][0]
    assert point == pytest.approx(0.6 * (1.2 - 1) / (1.2 + 1), abs=1e-4)


def test_no_pulses_no_figures_of_pulses(run: Path) -> None:
    path = run / "checkpoint" / "model.safetensors"
    tensors = {k: v * 0 if k.endswith((".counts", ".totals")) else v for k, v in load_file(path).items()}
    save_file(tensors, path)
    line = {"epoch": 1, "pulses": {name: [0, 0] for name in LAYERS}}
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    assert not [name for name in figures(write_report(run)) if name.startswith(("pulses", "map"))]


def test_two_devices_have_two_responses(run: Path) -> None:
    from mho.config import save

    config = load(run / "config.toml")
    changed = {"fc3": {"device.dw_min": [0.001, 0.004]}}
    save(config.with_(layers=changed), run / "config.toml")
    found = figures(write_report(run))
    assert {"response-0", "steps-0", "response-1", "steps-1"} <= set(found)
    assert trace(found["steps-1"], "chip 1")["y"][0] == pytest.approx(0.004, rel=1e-4)


def test_words_from_the_run_cannot_break_the_page(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    summary["versions"]["</script><b>"] = "<img src=x>"
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace('data = "digits"', 'data = "<img src=x>/set"'))
    (run / "summary.json").write_text(json.dumps(summary))
    text = write_report(run).read_text(encoding="utf-8")
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text


def test_old_checkpoints_without_counters(run: Path) -> None:
    path = run / "checkpoint" / "model.safetensors"
    kept = {k: v for k, v in load_file(path).items() if not k.endswith((".counts", ".totals", ".cell_top"))}
    save_file(kept, path)
    found = figures(write_report(run))
    assert "pulses-fc1" not in found
    assert len(found["states-fc1"]["data"]) == 1
