"""Tasks on a Ray cluster, whose workers and nodes may die at any time."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

from mho.config import loads
from mho.data import Dataset
from mho.errors import ConfigError
from mho.sweep.executors.base import Outcome, Task, Told, WorkerError
from mho.version import __version__

PATIENCE = 1.0
ANSWER, JOIN = 5.0, 60.0
"""Seconds in which an address must answer at all, and in which the cluster behind it must."""
OWN_NODE_DIED = (
    "the Ray node of this machine died, through which mho reaches the cluster; start it again with ray start, or go on "
    "without --ray"
)
AHEAD = 2
"""Tasks given for every one that can be computed at once, so that no worker waits for the next."""


class RayCluster:
    """A cluster that is running, by its address HOST:PORT, "auto" for the one of this machine, or ray://HOST:PORT.

    A task takes `threads` cores. A data set is put into the cluster's memory once, so nodes need none; they need mho.
    Raises ConfigError when Ray is not installed, WorkerError when no cluster answers.
    """

    def __init__(self, address: str, threads: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise ConfigError("--ray needs Ray, which is not installed; pip install 'mho[ray]'") from error
        self.ray, self.threads, self.left = ray, threads, False
        self.own = not ray.is_initialized()
        if self.own:
            _join(ray, found(address))
        self.remote = ray.remote(num_cpus=threads, max_retries=0)(_compute)  # the engine gives a lost task again
        self.data: dict[str, Any] = {}
        self.running: dict[Any, int] = {}
        try:
            self._check_cores()
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """How many tasks the living nodes compute at once; they may come and go."""
        return max(1, sum(int(cores // self.threads) for cores in self._cores()))

    def _cores(self) -> list[float]:
        return [node["Resources"].get("CPU", 0.0) for node in self.ray.nodes() if node["Alive"]]

    def _check_cores(self) -> None:
        if not any(cores >= self.threads for cores in self._cores()):
            raise ConfigError(
                f"a task of this sweep has {self.threads} threads, but no node of the cluster has so many cores "
                f"({', '.join(f'{cores:g}' for cores in self._cores()) or 'none'}); give threads = 1 under [set] of a "
                "new sweep, or add a node"
            )

    def free(self) -> int:
        """Return how many more tasks can be given: a few more than are computed at once."""
        return AHEAD * self.workers - len(self.running)

    def submit(self, number: int, task: Task) -> None:
        """Give a task, with where its data are."""
        name = _data_name(task)
        if name not in self.data:
            from mho.data import load

            self.data[name] = self.ray.put(load(name, progress=False))
        self.running[self.remote.remote(task, self.data[name], __version__)] = number

    def wait(self, told: Told) -> list[Outcome]:
        """Return what became of tasks; how far others are, Ray does not say."""
        ready, _ = self.ray.wait(list(self.running), num_returns=1, timeout=PATIENCE)
        return [self._outcome(reference) for reference in ready]

    def _outcome(self, reference: Any) -> Outcome:
        number = self.running.pop(reference)
        gone = self.ray.exceptions
        try:
            return Outcome(number, self.ray.get(reference))
        except gone.RayTaskError as error:
            return Outcome(number, error=WorkerError(_said(error.cause if error.cause else error)))
        except gone.LocalRayletDiedError:  # no task can be given any more, and Ray ends this process soon
            self.left = True
            return Outcome(number, error=WorkerError(OWN_NODE_DIED))
        except gone.NodeDiedError as error:
            return Outcome(number, lost=f"its node died ({_said(error)})", blameless=True)
        except gone.RayError as error:
            return Outcome(number, lost=f"its worker died ({type(error).__name__}: {_said(error)})")

    def close(self) -> None:
        """Cancel what is running, and leave the cluster, if that is still there."""
        if self.left:
            return
        for reference in self.running:
            self.ray.cancel(reference, force=True)
        self.running.clear()
        if self.own:
            self.ray.shutdown()


def _compute(task: Task, data: Dataset, version: str) -> dict[str, Any]:
    """Compute a task on a node."""
    from mho.sweep.compute import compute

    if version != __version__:
        raise WorkerError(
            f"a node of the cluster has mho {__version__}, but this sweep is one of mho {version}; install the same "
            "everywhere, as a table holds the results of one"
        )
    return compute(task, lambda config: data)


def _data_name(task: Task) -> str:
    return str(task["points"][0]["shared"].get("data") or loads(task["config"]).data)


def _said(error: BaseException) -> str:
    """Return the first sentence of an error: those of Ray go on for pages."""
    return str(error).strip().partition("\n")[0].partition(". ")[0]


def found(address: str) -> str:
    """Return the address of a cluster that answers on its port, "auto" where Ray is to look for one itself.

    Raises WorkerError when none answers.
    """
    if address == "auto":
        note = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray", "ray_current_cluster")
        address = os.environ.get("RAY_ADDRESS") or (note.read_text(encoding="utf-8").strip() if note.is_file() else "")
        if not address:
            return "auto"  # one that keeps its files elsewhere, Ray finds among the processes of this machine
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(
            f"--ray takes auto or HOST:PORT, found {address!r}; the port of a head node is 6379 by default"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError as error:
        raise WorkerError(
            f"the Ray cluster at {address} does not answer ({error.strerror or error}); check that its head node runs "
            "(ray status) and that this machine reaches it, or start one with ray start --head"
        ) from error
    return address


def _join(ray: Any, address: str) -> None:
    """Join a cluster; raise WorkerError when what answers there is none."""
    failed: list[BaseException] = []

    def join() -> None:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", namespace="mho")
        except BaseException as error:
            failed.append(error)

    # In a thread, as ray.init waits for minutes where something else than Ray listens.
    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    thread.join(JOIN)
    if failed and address == "auto":
        raise WorkerError(
            "--ray auto was given, but no Ray cluster runs on this machine; start one with ray start --head, or give "
            "the address of another: --ray HOST:6379"
        ) from failed[0]
    if thread.is_alive() or failed:
        why = _said(failed[0]) if failed else f"no answer in {JOIN:g} s"
        raise WorkerError(
            f"what listens at {address} could not be joined as a Ray cluster ({why}); check the address, and that "
            "Ray and Python are the same there as here"
        )
