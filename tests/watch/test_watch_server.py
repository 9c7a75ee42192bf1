"""Who is answered: this machine, by its own name, with the token; nobody else."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.errors import CheckpointError, ConfigError
from mho.watch import Server, serving
from watch.made import begin, write_epochs


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    begin(tmp_path / "run")
    write_epochs(tmp_path / "run", 1)
    with serving(tmp_path / "run") as found:
        yield found


def ask(
    server: Server, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_who_has_the_token_gets_the_page_and_its_parts(server: Server) -> None:
    status, body, headers = ask(server, f"/{server.token}/")
    assert status == 200
    assert b"<!DOCTYPE html>" in body
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name, kind, needle in (
        ("watch.js", "text/javascript", b"Plotly.react"),
        ("watch.css", "text/css", b".badge"),
        ("plotly.js", "text/javascript", b"plotly.js v"),
    ):
        status, body, headers = ask(server, f"/{server.token}/{name}")
        assert (status, headers.get_content_type()) == (200, kind)
        assert needle in body
    assert ask(server, f"/{server.token}")[0] == 301
    assert ask(server, f"/{server.token}/../../../../etc/passwd")[0] == 404
    assert ask(server, f"/{server.token}/config.toml")[0] == 404


def test_the_page_names_nothing_of_elsewhere(server: Server) -> None:
    for name in ("", "watch.js", "watch.css"):
        assert b"//" not in ask(server, f"/{server.token}/{name}")[1].replace(b" // ", b"")


def test_state_is_sent_when_it_is_new(server: Server) -> None:
    status, body, _ = ask(server, f"/{server.token}/state.json")
    state = json.loads(body)
    assert (status, state["state"], state["done"], state["total"]) == (200, "running", 1, 3)
    assert ask(server, f"/{server.token}/state.json?have={state['version']}")[0] == 204
    write_epochs(server.live.folder, 2)
    end = time.monotonic() + 20
    while ask(server, f"/{server.token}/state.json?have={state['version']}")[0] == 204:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert json.loads(ask(server, f"/{server.token}/state.json")[1])["done"] == 2


def test_a_wrong_token_is_forbidden(server: Server) -> None:
    token = server.token
    wrong = [
        "/", "//", "*", "/wrong/", f"/{token[:-1]}/", f"/{token}x/", f"/{token.swapcase()}/state.json", "/state.json",
        f"/?token={token}", f"/x/{token}/", "/\xff/", "/%2e/", f"/%20{token}/",
    ]  # fmt: skip
    for path in wrong:
        answer = raw(server, b"GET " + path.encode("latin-1") + b" HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert answer.split(b" ")[1] in (b"403", b"400"), path
        assert server.token.encode() not in answer


@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_guess_gets_anything(server: Server, path: str) -> None:
    answer = raw(server, b"GET /" + path.encode("latin-1") + b" HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.split(b" ")[1] in (b"403", b"400")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:8000", 200), ("127.0.0.1:1", 200), ("evil.example", 403),
        ("127.0.0.1.evil.example:80", 403), ("", 403), ("0.0.0.0", 403), ("user@localhost", 403), ("[::1]:80", 403),
    ],
)  # fmt: skip
def test_other_names_of_the_host_are_refused(server: Server, host: str, status: int) -> None:
    request = f"GET /{server.token}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert raw(server, request).split(b" ")[1] == str(status).encode()


def test_a_request_without_a_host_or_with_two_is_refused(server: Server) -> None:
    line = f"GET /{server.token}/ HTTP/1.0\r\n".encode()
    assert raw(server, line + b"\r\n").split(b" ")[1] == b"403"
    assert raw(server, line + b"Host: localhost\r\nHost: evil.example\r\n\r\n").split(b" ")[1] == b"403"


def test_nothing_can_be_changed(server: Server) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, f"/{server.token}/", method)[0] == 501
    status, body, headers = ask(server, f"/{server.token}/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 500


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the whole of 127/8 on its loopback interface")
def test_only_one_address_of_this_machine_answers(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=5)


def test_tokens_are_long_and_differ(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(3):
        with Server(tmp_path) as found:
            tokens.add(found.token)
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 32


def test_a_silent_connection_blocks_nobody(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port)):
        assert ask(server, f"/{server.token}/")[0] == 200


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with Server(tmp_path) as first, pytest.raises(ConfigError, match=rf"port {first.server_port}.*another --port"):
        Server(tmp_path, port=first.server_port)
    with pytest.raises(ConfigError, match="port 70000"):
        Server(tmp_path, port=70000)


def test_a_directory_of_something_else_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CheckpointError, match="neither a run"):
        Server(tmp_path)
    with pytest.raises(CheckpointError, match="is a file"):
        Server(tmp_path / "letter.txt")
