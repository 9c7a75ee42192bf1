"""The page of a device shows what its law gives, as HTML, as a picture and in a notebook."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.characterize import characterize
from mho.devices import (
    ConstantStep,
    Device,
    Faults,
    Leak,
    PiecewiseStep,
    SoftBounds,
    Spread,
    UnipolarJump,
    UnipolarPhaseChange,
    catalogue,
    law,
    maximum,
    minimum,
    where,
)
from mho.errors import ConfigError, LawError
from mho.report import show_device
from mho.report.figure import Figure
from mho.report.scale import Scale, of_states, siemens
from mho.report.static import png
from mho.units import Window
from report.pages import figures, trace, words_of

SOFT = SoftBounds(dw_min=Spread(0.01, d2d=0.2), up_down=Spread(1.5, d2d=0.05), w_max=Spread(0.6, d2d=0.1))


class Worn(Device):
    """A device that tires: an own law with a further state."""

    state = {"age": 0.0}  # noqa: RUF012
    size: Spread = Spread(0.05, d2d=0.2)

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"size": draw(self.size)}

    @law
    def pulse(w, up, xi, age, size):  # type: ignore[no-untyped-def]
        """Step by less and less."""
        step = size / (1.0 + 0.01 * age)
        return minimum(maximum(w + where(up, step, -step), -1.0), 1.0), age + 1.0


class Careless(Worn):
    """Its cells fail where devices differ."""

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"size": draw(self.size)[:, :, :, :, 0]}


def page_of(device: Any, folder: Path, **options: Any) -> Path:
    """Return the page of a device, written."""
    return show_device(device, **options).save(folder / "device.html")[0]


def png_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_figures_are_those_of_the_law(tmp_path: Path) -> None:
    found = figures(page_of(SOFT, tmp_path))
    numbers = characterize(SOFT)
    assert trace(found["response-0"], "mean")["y"] == pytest.approx(numbers.response.mean[0].tolist(), rel=1e-5)
    up = trace(found["steps-0"], "up")
    a = 0.01 * 1.2
    assert up["y"] == pytest.approx([a * (1 - w / 0.6) for w in up["x"]], rel=1e-4)
    point = trace(found["steps-0"], "symmetry point")
    assert point["x"][0] == pytest.approx(0.6 * 0.5 / 2.5, abs=1e-4)
    titles = [name for name in found if name.startswith("parameter-")]
    assert len(titles) == len(numbers.parameters)
    bars = found["parameter-0"]["data"][0]
    assert sum(bars["y"]) == 200
    assert np.average(bars["x"], weights=bars["y"]) == pytest.approx(0.01, rel=0.05)


def test_numbers_are_in_the_page(tmp_path: Path) -> None:
    words = words_of(page_of(SOFT, tmp_path))
    assert "symmetry point 0.12 0.0" in words
    assert "up / down step at w = 0 1.5 " in words
    assert "siemens" not in words
    assert "dw_min Spread(0.01, d2d=0.2) up_down Spread(1.5, d2d=0.05)" in words
    assert "Kim et al." in words  # the reference of the law
    assert "law = &quot;soft-bounds&quot;" in words  # the file to copy


def test_siemens_stand_beside_weights(tmp_path: Path) -> None:
    plain = {"dw_min": Spread(0.01), "up_down": Spread(1.5), "w_max": Spread(0.6), "w_min": Spread(-0.6)}
    device = SoftBounds(**plain, window=Window(1e-6, 21e-6))
    page = page_of(device, tmp_path)
    layout = figures(page)["response-0"]["layout"]
    assert layout["yaxis2"]["matches"] == "y"
    ticks = dict(zip(layout["yaxis2"]["ticktext"], layout["yaxis2"]["tickvals"], strict=True))
    assert ticks["10"] == pytest.approx(-0.1)  # 11 µS is w = 0, 10 µS a weight
    assert {"xaxis2", "yaxis2"} <= set(figures(page)["steps-0"]["layout"])
    words = words_of(page)
    assert "symmetry point 0.12 0.12 to 0.12 12.2 µS" in words
    assert "step at w = 0 0.01 0.01 to 0.01 100 nS" in words


def test_a_published_device_says_where_it_is_from(tmp_path: Path) -> None:
    row = next(r for r in catalogue.devices() if r.name == "ecram")
    words = words_of(page_of("ecram", tmp_path, devices=10))
    assert words.split()[0] == "ecram"
    assert f"Published device ecram: {row.source}." in words


def test_what_the_law_does_not_hold_is_said(tmp_path: Path) -> None:
    device = ConstantStep(
        dw_min=Spread(0.05, d2d=0.1), write_noise=2.0, leak=Leak(lifetime=Spread(1e5, d2d=0.3)),
        faults=Faults(dead=0.01), diffusion=0.003, correlations=(("dw_min", "w_max", 0.5),), shifted=True,
    )  # fmt: skip
    words = words_of(page_of(device, tmp_path, devices=10))
    for said in (
        "2 times the mean step", "lifetime of 100000 (relative spread 0.3 between devices) updates",
        "0.01 of the devices never leaves 0",
        "0.003 weight units", "dw_min with w_max +0.5", "around the symmetry point already",
    ):  # fmt: skip
        assert said in words


def test_a_unipolar_device_is_drawn_up_only_and_its_page_says_why(tmp_path: Path) -> None:
    device = UnipolarJump(jump=0.3, faults=Faults(stuck=0.01, range=0.5), window=Window(1e-6, 21e-6))
    page = page_of(device, tmp_path, devices=10)
    found, words = figures(page), words_of(page)
    assert [t["name"] for t in found["steps-0"]["data"] if t.get("name")] == ["10 to 90 % of devices", "up"]
    response = trace(found["response-0"], "mean")
    reset = response["x"].index(max(response["x"]) / 2)
    assert response["y"][reset] > 0.9
    assert response["y"][reset + 1] == 0
    for said in (
        "It is unipolar: pulses can only raise it", "there is no symmetry point", "up again after a reset",
        "granularity 0.005 – 100 nS", "In siemens: w = 0 is 1 µS, w = +1 is 21 µS.", "is stuck at values from 0 to 0.5",
    ):  # fmt: skip
        assert said in words
    for absent in ("up / down step", "asymmetry 1", "end to end, down", "symmetry point –"):
        assert absent not in words
    assert png_size(show_device(device, devices=10).png())[0] > 1000


def test_a_unipolar_device_over_chips_says_what_its_lines_are(tmp_path: Path) -> None:
    page = page_of(UnipolarPhaseChange(dw_min=Spread([0.01, 0.02])), tmp_path, devices=10)
    data = figures(page)["steps-0"]["data"]
    assert len(data) == 2
    assert "Up only, as no pulse lowers it." in words_of(page)


def test_own_classes_and_extra_state(tmp_path: Path) -> None:
    words = words_of(page_of(Worn, tmp_path))
    assert "Extra state of every device: age (at first 0)" in words
    assert "Further states of the law (age) have their first values" in words


def test_chips_that_differ_have_curves_of_their_own(tmp_path: Path) -> None:
    device = SoftBounds(dw_min=Spread([0.01, 0.04], d2d=0.2))
    shown = show_device(device, seed=3)
    assert shown.found.devices == 64
    found = figures(shown.save(tmp_path / "a.html")[0])
    for name in ("response-0", "steps-0", "parameter-0"):
        assert trace(found[name], "chip 1")
    assert trace(found["steps-0"], "chip 1")["y"][0] == pytest.approx(4 * trace(found["steps-0"], "chip 0")["y"][0])
    words = words_of(tmp_path / "a.html")
    assert "chip 0 chip 1" in words
    assert "step at w = 0 0.01 0.04" in words


def test_tables_over_chips_have_curves_of_their_own(tmp_path: Path) -> None:
    device = PiecewiseStep(nodes_up=[[1, 1, 1, 1, 1], [2, 2, 2, 2, 2]], dw_min=0.01)
    found = figures(show_device(device, pulses=20).save(tmp_path / "a.html")[0])
    one, two = (trace(found["steps-0"], f"chip {k}")["y"][0] for k in (0, 1))
    assert two == pytest.approx(2 * one)


def test_few_far_devices_do_not_hide_the_others() -> None:
    device = ConstantStep(dw_min=Spread(0.01, d2d=1.5, log_normal=True), w_max=Spread(0.6), w_min=Spread(-0.6))
    figure = next(f for f in show_device(device).parameters if f.title == "dw_min")
    beyond = 200 - sum(figure.traces[0]["y"])
    assert beyond > 0
    assert f"{beyond} of 200 devices lie beyond" in figure.caption


def test_picture_and_notebook(tmp_path: Path) -> None:
    shown = mho.show_device(SOFT, devices=20)
    written = shown.save(tmp_path / "new")
    assert [p.name for p in written] == ["device.html", "device.png"]
    width, height = png_size(written[1].read_bytes())
    assert width > 1000 < height
    assert shown.save(tmp_path / "one.png")[0].read_bytes() == written[1].read_bytes()
    html = shown._repr_html_()
    assert html.startswith("<img")
    assert "symmetry point" in html
    assert "save(path)" in repr(shown)
    with pytest.raises(ConfigError, match=r"ends in .pdf"):
        shown.save(tmp_path / "device.pdf")


def test_picture_without_parameters() -> None:
    plain = ConstantStep(
        dw_min=Spread(0.05), up_down=Spread(1.0), w_max=Spread(0.6), w_min=Spread(-0.6), window=Window(0, 1e-4)
    )
    assert png_size(show_device(plain, devices=3).png())[1] < 700


def test_picture_draws_what_the_page_draws() -> None:
    figure = Figure("a", "Title", "", "x", "y", also_x=Scale("X", 1.0, 2.0))
    figure.line([0, 1], [0, 1], "line", line={"dash": "dash"})
    empty = Figure("b", "Title", "", "x", "y")
    assert png("one", [figure]) != png("one", [empty])


def test_scales() -> None:
    scale = of_states(Window(1e-6, 3e-6))
    assert scale.title == "conductance (µS)"
    places, words = scale.ticks(-1.0, 1.0)
    assert dict(zip(words, places, strict=True))["2.5"] == pytest.approx(0.5)
    assert [siemens(v) for v in (2.5e-6, 3e-10, 0.0, np.nan)] == ["2.5 µS", "300 pS", "0 pS", "–"]


def test_failing_laws_are_told_with_the_line() -> None:
    with pytest.raises(LawError, match=r"Careless fails with IndexError: .* \(.*test_device_page.py, line \d+\)"):
        show_device(Careless)


@pytest.mark.parametrize("name", ["a<b>.py:X", "</script>"])
def test_names_cannot_break_the_page(name: str, tmp_path: Path) -> None:
    text = page_of(SOFT, tmp_path, devices=5, name=name).read_text(encoding="utf-8")
    assert f"<h1>{name}" not in text
    assert text.count("</script>") == text.count("<script")
