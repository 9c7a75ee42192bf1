"""The server of the live page: on the loopback interface only, behind a random token."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

from mho.errors import ConfigError
from mho.watch.answers import Handler
from mho.watch.live import Live
from mho.watch.view import look

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 24


class Server(ThreadingHTTPServer):
    """Serves the page of one directory at `url`, which holds the token, until it is closed.

    folder: of a run or a sweep; one that is not there yet is waited for. port: 0 for any that is free. Raises
    ConfigError for a port that cannot be had, CheckpointError for a directory that holds something else.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # on Windows it would let another process take the port over

    def __init__(self, folder: str | os.PathLike[str], *, port: int = 0) -> None:
        self.live = Live(Path(folder))
        look(self.live.folder)  # what cannot be watched is said at once
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        try:
            super().__init__((LOOPBACK, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"port {port} of {LOOPBACK} cannot be had ({reason}): give another --port, or none for any that is free"
            ) from error

    def server_bind(self) -> None:
        """Bind without asking for the name of the host, which would ask a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"


@contextmanager
def serving(folder: str | os.PathLike[str], *, port: int = 0) -> Iterator[Server]:
    """Serve the page of a directory in a thread while a block runs; yield the server, whose `url` is the address."""
    with Server(folder, port=port) as server:
        thread = threading.Thread(target=server.serve_forever, name="mho watch", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
