"""What the server answers: the page and its parts to whoever has the token, 403 to everybody else."""

from __future__ import annotations

import hmac
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from mho.watch.server import Server

HOSTS = ("127.0.0.1", "localhost")
"""Names by which a browser may ask, with any port: a tunnel has another. A page of elsewhere whose name was made to
point here (DNS rebinding) asks by its own name."""
TYPES = {
    "": "text/html; charset=utf-8", "watch.css": "text/css; charset=utf-8",
    "watch.js": "text/javascript; charset=utf-8", "plotly.js": "text/javascript; charset=utf-8",
    "state.json": "application/json",
}  # fmt: skip
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version, sys_version = "mho", ""
    timeout = 30.0

    def do_GET(self) -> None:
        """Answer with headers and content."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer with headers only."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Keep silent: a line for every poll would hide what the terminal is for, and hold the token."""

    def _answer(self) -> None:
        asked = urlsplit(self.path)
        _, token, *rest = [*asked.path.split("/", 2), ""]
        if not (self._named_here() and hmac.compare_digest(token.encode(), self.server.token.encode())):
            self._send(HTTPStatus.FORBIDDEN, b"Forbidden: the address that mho watch printed holds a token.\n")
        elif len(rest) < 2:  # without the last slash the page would ask for its parts without the token
            self._send(HTTPStatus.MOVED_PERMANENTLY, b"", Location=f"/{self.server.token}/")
        elif rest[0] not in TYPES:
            self._send(HTTPStatus.NOT_FOUND, b"There is no such page.\n")
        elif rest[0] == "state.json":
            self._state(parse_qs(asked.query).get("have", [""])[-1])
        else:
            self._send(HTTPStatus.OK, part(rest[0]), TYPES[rest[0]])

    def _state(self, version: str) -> None:
        text = self.server.live.newer(version)
        if text is None:
            self._send(HTTPStatus.NO_CONTENT, b"")
        else:
            self._send(HTTPStatus.OK, text, TYPES["state.json"])

    def _named_here(self) -> bool:
        """Say whether the request was sent to a name of this machine's loopback interface."""
        hosts = self.headers.get_all("Host") or []
        return len(hosts) == 1 and hosts[0].partition(":")[0].lower() in HOSTS

    def _send(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8", **more: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **more}.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@cache
def part(name: str) -> bytes:
    """Return a part of the page that does not change."""
    if name == "plotly.js":
        from plotly.offline import get_plotlyjs

        return get_plotlyjs().encode()
    own = resources.files("mho.watch").joinpath(name or "watch.html").read_bytes()
    look = resources.files("mho.report").joinpath("style.css").read_bytes() if name == "watch.css" else b""
    return look + own
