"""The live page in a real browser: it grows by itself, asks nobody else, and says when it has lost its server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.watch import serving
from watch.browser import Browser, needs_chromium
from watch.made import begin, write_epochs

pytestmark = [pytest.mark.slow, needs_chromium]
POINTS = "document.querySelector('#figure-accuracy .plot').data.at(-1).x.length"


@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_grows_with_the_run(tmp_path: Path, width: int) -> None:
    folder = tmp_path / "run"
    with serving(folder) as server, Browser(tmp_path / "profile", width) as page:
        page.open(server.url)
        page.wait_for("document.getElementById('state')?.textContent === 'waiting'")
        begin(folder)
        page.wait_for("document.body.innerText.includes('The first epoch has not ended yet')")
        for epochs in (1, 2):
            write_epochs(folder, epochs)
            page.wait_for(f"document.getElementById('progress').textContent.startsWith('{epochs} of 3 epochs')")
            page.wait_for(f"{POINTS} === {epochs}")
        assert "about" in page.text()
        assert page.value("document.title") == "2/3 fcn on digits, preset gokmen-2017"
        assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
        write_epochs(folder, 3)
        page.wait_for("document.getElementById('state').textContent === 'finished'")
        assert page.value("document.querySelectorAll('.plot .main-svg').length") >= 4
        page.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 20_000
        assert page.errors == []
        assert {url for url in page.requests if not url.startswith((server.url, "data:"))} == set()


def test_a_zoom_stays_while_curves_grow(tmp_path: Path) -> None:
    begin(tmp_path / "run")
    write_epochs(tmp_path / "run", 2)
    plot = "document.querySelector('#figure-accuracy .plot')"
    with serving(tmp_path / "run") as server, Browser(tmp_path / "profile") as page:
        page.open(server.url)
        page.wait_for(f"{plot} && {plot}._fullLayout")
        page.value(f"Plotly.relayout({plot}, {{'yaxis.range': [61, 62]}}).then(() => 1)")
        write_epochs(tmp_path / "run", 3)
        page.wait_for(f"{POINTS} === 3")
        assert page.value(f"{plot}._fullLayout.yaxis.range") == [61, 62]


def test_a_lost_server_is_told_and_found_again(tmp_path: Path) -> None:
    begin(tmp_path / "run")
    write_epochs(tmp_path / "run", 1)
    with Browser(tmp_path / "profile") as page:
        with serving(tmp_path / "run") as server:
            page.open(server.url)
            page.wait_for("document.getElementById('state')?.textContent === 'running'")
            assert not page.value("!document.getElementById('lost').hidden")
            port, token = server.server_port, server.token
        page.wait_for("document.getElementById('state').textContent === 'not connected'")
        assert "mho watch has stopped" in page.text()
        with serving(tmp_path / "run", port=port) as server:
            server.token = token
            page.wait_for("document.getElementById('state').textContent === 'running'")


def test_what_stands_in_files_is_text_for_the_page(tmp_path: Path) -> None:
    begin(tmp_path / "run", network="<img src=x onerror=boom()>.py:net")
    write_epochs(tmp_path / "run", 1)
    with serving(tmp_path / "run") as server, Browser(tmp_path / "profile") as page:
        page.open(server.url)
        page.wait_for("document.getElementById('title')?.textContent.includes('onerror')")
        assert page.value("document.querySelectorAll('h1 img').length") == 0
        assert page.errors == []
