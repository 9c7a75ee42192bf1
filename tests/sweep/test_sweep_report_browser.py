"""The page of a sweep in a real browser without a network: all is drawn, cut anew, sorted, and fits on a phone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mho.sweep.report import write_sweep_report
from mho.sweep.table import SweepTable, write
from sweep.chromium import Chromium, find
from sweep.report_tables import C2C, DW, sampled, search, thousands, tolerances
from sweep.tables import synthetic

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find() is None, reason="no Chromium here; scripts/install_chromium.sh installs Debian's"),
]
DRAWN = "[...document.querySelectorAll('.plot')].every((p) => p.querySelector('.main-svg'))"
WIDEST = "document.documentElement.scrollWidth"
SCHEDULE = "lr_schedule"
MAP = "document.getElementById('grid-0-map')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


def written(folder: Path, make: Callable[[Path], SweepTable]) -> Path:
    folder.mkdir()
    return write_sweep_report(folder, make(folder))


def picture(browser: Chromium, name: str) -> None:
    """Keep a picture where somebody asked for them, to be looked at."""
    if "MHO_PICTURES" in os.environ:
        browser.picture(Path(os.environ["MHO_PICTURES"], f"{name}.png"))


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("tolerances", lambda _: tolerances()),
        ("search", lambda folder: search(folder, 64)),
        ("cube", lambda _: thousands((5, 4, 3))),
        ("samples", lambda _: sampled(1000, 3)),
    ],
)
def test_all_is_drawn_and_fits(
    browser: Chromium, tmp_path: Path, name: str, make: Callable[[Path], SweepTable], width: int
) -> None:
    browser.problems.clear()
    browser.size(width, 900)
    browser.open(written(tmp_path / name, make))
    browser.whole()
    browser.wait(DRAWN)
    picture(browser, f"{name}-{width}")
    assert browser.problems == []
    assert browser.run(WIDEST) <= width
    bars = browser.run("[...document.querySelectorAll('.plot')].map((p) => p.getBoundingClientRect().height)")
    assert min(bars) > 200


def test_ten_thousand_points_are_usable(browser: Chromium, tmp_path: Path) -> None:
    browser.problems.clear()
    browser.size(1400, 900)
    page = written(tmp_path / "cube", lambda _: thousands())
    assert browser.open(page) < 30  # seconds, of a loaded machine
    browser.run("document.getElementById('grid-0-maps').scrollIntoView({behavior: 'instant'})")
    browser.wait(f"{MAP}.querySelector('.main-svg')")
    before = browser.run(f"{MAP}.data[0].z")
    start = time.perf_counter()
    choose = "(() => { const s = document.querySelector('.slices select[aria-label=w_max]');"
    browser.run(choose + " s.value = 1; s.dispatchEvent(new Event('change')); })()")
    assert time.perf_counter() - start < 5
    after = browser.run(f"{MAP}.data[0].z")
    assert after != before
    assert len(after) == len(after[0]) == 10
    number = browser.run("JSON.parse(document.getElementById('grid-0-slices').textContent).mean[1]")
    assert after[0][0] == number  # the first combination of the other settings, at the second value of w_max
    browser.run("document.querySelector('.slices select').value = 3")
    browser.run("document.querySelector('.slices select').dispatchEvent(new Event('change'))")
    assert browser.run(f"{MAP}.layout.xaxis.title.text") == "w_max"
    assert browser.problems == []


def test_names_are_cells_with_all_their_labels(browser: Chromium, tmp_path: Path) -> None:
    browser.problems.clear()
    browser.size(390, 900)
    axes = {C2C: [0.1, 0.2, 0.4], DW: [0.001, 0.002], SCHEDULE: [{"epochs": [n], "factor": 0.5} for n in range(1, 5)]}
    write(synthetic({"map": axes}, penalty=lambda v: 0.1), tmp_path)
    browser.open(write_sweep_report(tmp_path))
    browser.whole()
    kinds = f"{MAP}.data.filter((t) => t.visible !== false).map((t) => t.type)"
    assert "contour" in browser.run(kinds)
    assert "heatmap" not in browser.run(kinds)
    choose = "(() => { const s = document.querySelector('.slices select[aria-label=up]');"
    browser.run(choose + " s.value = 2; s.dispatchEvent(new Event('change')); })()")
    browser.wait(f"!!{MAP}.querySelector('.heatmaplayer image')")
    assert sorted(set(browser.run(kinds))) == ["heatmap", "scatter"]
    assert browser.run(f"{MAP}.data.find((t) => t.type === 'heatmap').z.length") == 4
    ticks = f"[...{MAP}.querySelectorAll('.ytick text')].map((t) => t.textContent)"
    assert browser.run(ticks) == [f"epochs [{n}],factor 0.5" for n in range(1, 5)]
    picture(browser, "names-390")
    assert browser.problems == []
    assert browser.run(WIDEST) <= 390


def test_points_are_filtered_sorted_and_turned(browser: Chromium, tmp_path: Path) -> None:
    browser.problems.clear()
    browser.open(written(tmp_path / "cube", lambda _: thousands((5, 5, 5))))
    cells = "[...document.querySelectorAll('.all-points tbody tr')].map((r) => r.cells[0].textContent)"
    assert browser.run(cells) == [str(n) for n in range(50)]
    browser.run("document.querySelectorAll('.all-points .choose button')[1].click()")
    assert browser.run(cells)[0] == "50"
    browser.run("document.querySelector('.all-points th button').click()")
    browser.run("document.querySelector('.all-points th button').click()")
    assert browser.run(cells)[0] == "124"
    filtering = "const s = document.querySelector('.all-points input'); s.value = 'diverged';"
    browser.run(f"(() => {{ {filtering} s.dispatchEvent(new Event('input')); }})()")
    assert browser.run(cells) == ["124", "123"]
    assert browser.problems == []


def test_problems_are_seen(browser: Chromium, tmp_path: Path) -> None:
    browser.problems.clear()
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://nowhere.invalid/a.png"><script>undefinedName()</script>')
    browser.open(page)
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert any("undefinedName" in p for p in browser.problems)
    assert any(p.startswith("request: http://nowhere.invalid") for p in browser.problems)
    browser.problems.clear()
