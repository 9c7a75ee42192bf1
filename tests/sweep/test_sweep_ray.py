"""A real Ray cluster of two nodes on this machine: the same bytes, also when a node dies; and wrong addresses."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from mho.errors import ConfigError
from mho.sweep import plan, run
from mho.sweep.executors.base import WorkerError
from mho.sweep.executors.ray_cluster import RayCluster, found
from mho.sweep.files import begin, pack_file
from sweep.killing import carry_out_while, kill_after, wait_for
from sweep.small import begin as begin_process
from sweep.small import results, small

LONG = {"max_chips": 2, "epochs": 8, "images": 100}


def test_addresses_that_do_not_answer(monkeypatch, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WorkerError, match=rf"127\.0\.0\.1:{port} does not answer"):
        found(f"127.0.0.1:{port}")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert found("auto") == "auto"  # Ray looks itself
    for wrong in ("cluster", "host:port", "host:99999"):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            found(wrong)


def test_an_address_that_does_not_answer_loses_nothing(tmp_path):
    pytest.importorskip("ray")
    run(small(images=20), out=tmp_path, progress=False)
    before = results(tmp_path)
    (tmp_path / "packs" / "00001.parquet").unlink()
    (tmp_path / "table.parquet").unlink()
    with pytest.raises(WorkerError, match="does not answer"):
        run(small(images=20), out=tmp_path, ray="127.0.0.1:9", progress=False)
    assert (tmp_path / "packs" / "00002.parquet").exists()
    run(small(images=20), out=tmp_path, progress=False)
    assert results(tmp_path) == before


def test_where_nothing_can_compute_nothing_is_made(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    with pytest.raises(WorkerError, match="does not answer"):
        run(small(), out=tmp_path / "out", ray="127.0.0.1:9", progress=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'mho\[ray\]'"):
        run(small(), out=tmp_path / "out", ray="auto", progress=False)
    assert not (tmp_path / "out").exists()


class NoRay:
    """As much of Ray as one task needs whose node is gone."""

    class exceptions:
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

        class NodeDiedError(RayError):
            pass

        class LocalRayletDiedError(RayError):
            pass

    def __init__(self, error):
        self.error = error

    def get(self, reference):
        raise self.error

    def cancel(self, reference, force):
        raise AssertionError("nobody is there to cancel it")


@pytest.mark.parametrize("own", [True, False])
def test_the_death_of_the_own_node_ends_the_sweep_with_a_reason(own):
    kind = NoRay.exceptions.LocalRayletDiedError if own else NoRay.exceptions.NodeDiedError
    cluster = object.__new__(RayCluster)
    cluster.ray, cluster.own, cluster.left = NoRay(kind("died. More.")), False, False
    cluster.running = {"a": 1, "b": 2} if own else {"a": 1}
    outcome = cluster._outcome("a")
    cluster.close()
    if own:
        assert "the Ray node of this machine died" in str(outcome.error)
    else:
        assert (outcome.lost, outcome.blameless) == ("its node died (died)", True)


def test_workers_and_ray_together_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="keep one"):
        run(small(), out=tmp_path / "out", workers=2, ray="auto")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def cluster():
    """Start a head and a second node of one core each, of about 100 MB of shared memory."""
    utilities = pytest.importorskip("ray.cluster_utils")
    node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
    made = utilities.Cluster()
    try:
        patient(lambda: made.add_node(**node))
        made.second = patient(lambda: made.add_node(**node))
        yield made
    finally:
        made.shutdown()


def patient(start):
    """Start a node, again where the 30 s that Ray gives it are not enough: the machine may be busy."""
    for attempt in range(3):
        try:
            return start()
        except Exception as error:
            if attempt == 2 or "timed out" not in str(error):
                raise
    return None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory of the same sweep computed in one process."""
    out = tmp_path_factory.mktemp("whole")
    run(small(**LONG), out=out, progress=False)
    return out


@pytest.mark.slow
def test_two_nodes_compute_the_same_bytes(tmp_path, cluster, whole):
    out = tmp_path / "out"
    process = begin_process(tmp_path, out, "--ray", cluster.address, **LONG)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "on 2 workers" in said
    assert results(out) == results(whole)


@pytest.mark.slow
def test_a_killed_driver_is_gone_on_with_on_the_cluster(tmp_path, cluster, whole):
    out = tmp_path / "out"
    process = begin_process(tmp_path, out, "--ray", cluster.address, **LONG)
    kill_after(pack_file(out, 1), process)
    assert not (out / "table.parquet").exists()
    process = begin_process(tmp_path, out, "--ray", cluster.address, **LONG)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert results(out) == results(whole)


@pytest.mark.slow
def test_killed_workers_and_a_killed_node_cost_nothing(tmp_path, cluster, whole, capsys):
    """Last, as the second node is gone afterwards."""
    made = begin(tmp_path, plan(small(**LONG)))
    executor = RayCluster(cluster.address, 1)

    def kill() -> None:
        wait_for(pack_file(tmp_path, 0))
        os.kill(cluster.second.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    carry_out_while(kill, made, executor, tmp_path)
    assert "its node died" in capsys.readouterr().out
    assert results(tmp_path) == results(whole)
