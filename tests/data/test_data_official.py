"""Downloads from an official address, here a small server in a thread."""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.fakes import stand_in, write_files
from mho.data import load, official
from mho.data.catalogue import IDX_ROWS, IDX_STEMS
from mho.data.sources import SourceFailed
from mho.errors import DataError


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path != "/short":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 40)


@pytest.fixture
def site(room: Path) -> Iterator[str]:
    """Serve `room / "site"`; return its address."""
    (room / "site").mkdir()
    handler = functools.partial(Quiet, directory=str(room / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_official_address_serves_and_fills_the_cache(
    room: Path, site: str, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(room / "site", files, packed=True)
    monkeypatch.setitem(IDX_ROWS, "mnist", stand_in(files, official=site))
    assert site in load("mnist").source
    assert "cache" in load("mnist").source
    assert (room / "cache" / "mnist" / IDX_STEMS[0]).read_bytes() == files[IDX_STEMS[0]]


def test_a_site_with_other_bytes_or_a_missing_file_is_passed_over(
    room: Path, site: str, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(room / "site", files, packed=True)
    monkeypatch.setitem(IDX_ROWS, "mnist", stand_in(files, official=site))
    wrong = room / "site" / f"{IDX_STEMS[1]}.gz"
    wrong.write_bytes(gzip.compress(b"<html>come back later</html>"))
    with pytest.raises(DataError, match=f"{IDX_STEMS[1]} came with md5"):
        load("mnist")
    wrong.write_bytes(wrong.read_bytes()[:20])
    with pytest.raises(DataError, match="truncated or corrupt"):
        load("mnist")
    wrong.unlink()
    with pytest.raises(DataError, match="HTTP Error 404"):
        load("mnist")
    assert not (room / "cache").exists()


def test_a_broken_transfer_is_a_reason(site: str) -> None:
    with pytest.raises(SourceFailed, match="40"):
        official.download(f"{site}short", io.BytesIO(), show=False)


def test_a_silent_host_takes_no_longer_than_the_limit() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        start = time.monotonic()
        with pytest.raises(SourceFailed, match=r"no answer within 0\.3 s|timed out"):
            official.download(
                f"http://127.0.0.1:{listening.getsockname()[1]}/x",
                io.BytesIO(),
                show=False,
                connect_seconds=0.3,
            )
        assert time.monotonic() - start < 3.0


def test_a_name_lookup_that_hangs_takes_no_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(20))
    start = time.monotonic()
    with pytest.raises(SourceFailed, match=r"no answer within 0\.3 s"):
        official.download("http://a.invalid/x", io.BytesIO(), show=False, connect_seconds=0.3)
    assert time.monotonic() - start < 3.0
    ended.set()
