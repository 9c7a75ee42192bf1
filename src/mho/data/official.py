"""Downloading from a data set's official address without letting an unreachable host eat the user's time."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
import urllib.error
import urllib.request
from typing import BinaryIO

from mho.data.progress import bar
from mho.data.sources import SourceFailed

CONNECT_SECONDS = 5.0
PIECE = 1 << 16
# A host that still sends less than this after the grace period is given up, so that the next source gets its
# turn.
SLOWEST_BYTES_PER_SECOND = 20_000
GRACE_SECONDS = 20.0


def download(url: str, sink: BinaryIO, *, show: bool, connect_seconds: float = CONNECT_SECONDS) -> None:
    """Write what `url` sends to `sink`; raises SourceFailed with the reason when that does not work."""
    start = time.monotonic()
    done = 0
    try:
        with _open(url, connect_seconds) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            with bar(f"downloading {url.rsplit('/', 1)[-1]}", total=total, show=show) as progress:
                while piece := response.read(PIECE):
                    sink.write(piece)
                    done += len(piece)
                    progress.advance(len(piece))
                    seconds = time.monotonic() - start
                    if seconds > GRACE_SECONDS and done < SLOWEST_BYTES_PER_SECOND * seconds:
                        raise SourceFailed(f"too slow ({done} bytes of {url} in {seconds:.0f} s)")
    except (TimeoutError, http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
        raise SourceFailed(f"the connection broke after {done} bytes of {url} ({error or 'timeout'})") from error
    if total is not None and done != total:
        raise SourceFailed(f"{url} ended after {done} of {total} bytes")


def _open(url: str, seconds: float) -> http.client.HTTPResponse:
    """Open `url` within `seconds` in all: looking up the name has no timeout of its own, hence the thread."""
    answer: list[http.client.HTTPResponse] = []
    failure: list[Exception] = []

    def work() -> None:
        request = urllib.request.Request(url, headers={"User-Agent": "mho"})
        try:
            # An opener of its own: the one that urlopen keeps remembers the proxies of its first use.
            answer.append(urllib.request.build_opener().open(request, timeout=seconds))
        except Exception as error:  # handed to the caller's thread, whatever it is
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if answer:
        return answer[0]
    if failure:
        error = failure[0]
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        # The words of a URLError are wrapped in angle brackets; those of its cause say the same plainly.
        reason = error.__cause__ or error.__context__ if type(error) is urllib.error.URLError else error
        raise SourceFailed(f"{reason or error}") from error
    raise SourceFailed(f"no answer within {seconds:g} s")
