"""Runs on a real GPU: they learn, repeat themselves, and their checkpoints go on on the CPU and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mho.train import train
from train.runs import bytes_of, small, without_times

pytestmark = pytest.mark.gpu


def on_gpu(**changes: Any) -> Any:
    return small(compute_device="cuda", **changes)


def test_a_run_learns_and_says_where() -> None:
    result = train(on_gpu(train_images=None, epochs=15, lr=0.1), progress=False)
    assert result.test_accuracy[0] > 60
    assert result.summary["compute_device"].startswith("cuda:")
    assert {"name", "capability", "cuda", "triton"} <= set(result.summary["gpu"])


@pytest.mark.parametrize("graphs", [True, False])
def test_the_same_run_gives_the_same_bytes(tmp_path: Path, graphs: bool) -> None:
    for name in ("a", "b"):
        train(on_gpu(chips=3, cuda_graphs=graphs), out=tmp_path / name, progress=False)
    assert without_times(tmp_path / "a") == without_times(tmp_path / "b")
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_graphs_send_the_pulses_of_plain_steps() -> None:
    graphs, plain = (train(on_gpu(chips=3, cuda_graphs=g), progress=False) for g in (True, False))
    for layer, pulses in plain.metrics[-1]["pulses"].items():
        assert graphs.metrics[-1]["pulses"][layer] == pytest.approx(pulses, rel=1e-2)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_first_losses_are_those_of_the_cpu(precision: str) -> None:
    gpu = train(on_gpu(train_images=20, epochs=1, chips=4, precision=precision), progress=False)
    cpu = train(small(train_images=20, epochs=1, chips=4), progress=False)
    assert gpu.metrics[0]["train_loss"] == pytest.approx(cpu.metrics[0]["train_loss"], rel=0.05)


@pytest.mark.parametrize("first", ["cuda", "cpu"])
def test_a_run_goes_on_elsewhere(tmp_path: Path, first: str) -> None:
    second = "cpu" if first == "cuda" else "cuda"
    train(small(compute_device=first, epochs=1), out=tmp_path / "run", progress=False)
    with pytest.warns(UserWarning, match=f"was on {first} and goes on with {second}"):
        train(small(compute_device=second, epochs=2), resume=tmp_path / "run", progress=False)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["compute_device"] for line in lines] == [first, second]
    assert lines[1]["train_loss"][0] < lines[0]["train_loss"][0]
