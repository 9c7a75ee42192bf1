"""A real headless Chromium, spoken to over a pipe: pages opened without a network, measured, clicked and pictured.

PYTHONPATH=tests python -m sweep.chromium PAGE.html OUT.png [--width 1400] [--height 0: the whole page]
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
NOWHERE = "MAP * ~NOTFOUND"
"""Every name is unknown to the browser, so that a page which needs the network fails."""


def find() -> str | None:
    """Return the program, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Chromium:
    """One browser with one tab. `problems` gathers errors of scripts, console errors and requests beyond files."""

    def __init__(self, width: int = 1400, height: int = 1000, *, network: bool = False) -> None:
        program = find()
        assert program is not None, "no Chromium: scripts/install_chromium.sh installs Debian's"
        self.problems: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="mho-chromium-", ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        rules = [] if network else [f"--host-resolver-rules={NOWHERE}"]
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-pipe",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--enable-unsafe-swiftshader",
            f"--user-data-dir={self._folder.name}", "--hide-scrollbars", *rules, "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
            preexec_fn=lambda: _pipes(to_read, to_write),
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._number, self._buffer, self._session = 0, b"", ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._read)
        os.close(self._write)
        self._folder.cleanup()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out one command of the DevTools protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, f"{method}: {found['error']}"
                return dict(found["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        found = json.loads(line)
        self._note(found)
        return dict(found)

    def _note(self, event: dict[str, Any]) -> None:
        method, told = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.problems.append(
                "console: " + " ".join(str(a.get("value", a.get("description"))) for a in told["args"])
            )
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(f"log: {told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            url = told["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:", "about:")):
                self.problems.append(f"request: {url}")

    def size(self, width: int, height: int) -> None:
        """Make the window so large, in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.width = width

    def open(self, page: Path) -> float:
        """Open a page and return the seconds until its load event."""
        start = time.perf_counter()
        self.send("Page.navigate", url=page.resolve().as_uri())
        self.wait("document.readyState === 'complete'")
        return time.perf_counter() - start

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 60.0) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.run(condition):
            assert time.monotonic() < end, f"not within {seconds} s: {condition}"
            time.sleep(0.05)

    def whole(self) -> int:
        """Make the window as high as the page, so that all of it is drawn, and return that height."""
        height = 0
        for _ in range(3):
            height = int(self.run("document.documentElement.scrollHeight"))
            self.size(self.width, height)
            self.wait("[...document.querySelectorAll('.plot')].every((p) => p.dataset.drawn)")
        self.run("new Promise((done) => setTimeout(done, 800))")
        return height

    def picture(self, path: Path, clip: dict[str, float] | None = None) -> None:
        """Write a screenshot of the window, or of a part of the page (x, y, width, height)."""
        more = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True} if clip else {}
        found = self.send("Page.captureScreenshot", format="png", **more)
        path.write_bytes(base64.b64decode(found["data"]))

    def box(self, selector: str) -> dict[str, float]:
        """Return the place of an element in the page."""
        quoted = json.dumps(selector)
        return dict(
            self.run(
                f"(() => {{ const b = document.querySelector({quoted}).getBoundingClientRect();"
                " return { x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height }; })()"
            )
        )


def _pipes(to_read: int, to_write: int) -> None:
    """Give the browser its commands at descriptor 3 and its answers at 4, whatever numbers the pipes had."""
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (to_read, to_write)]
    for descriptor, one in zip((3, 4), high, strict=True):
        os.dup2(one, descriptor)


def main() -> None:
    """Picture one page."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("page", type=Path)
    told.add_argument("out", type=Path)
    told.add_argument("--width", type=int, default=1400)
    told.add_argument("--height", type=int, default=0)
    options = told.parse_args()
    with Chromium(options.width, options.height or 1000) as browser:
        print(f"opened in {browser.open(options.page):.2f} s")
        if not options.height:
            print(f"{browser.whole()} pixels high")
        browser.picture(options.out)
        print("\n".join(browser.problems) or "no problems")


if __name__ == "__main__":
    main()
