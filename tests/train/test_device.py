"""Runs that are asked to compute on a GPU: what is said where there is none, an old one, or one that is too small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kernels.gpu_machine import GIB, pretend
from mho.config import RunConfig
from mho.data import Dataset, load
from mho.errors import ConfigError, GpuMemoryError
from mho.kernels.gpu import machine
from mho.train import loop, train
from mho.train.loop import Trainer
from mho.train.memory import sample_bytes
from mho.train.networks import make_network
from mho.train.where import computing, device_of, said_of
from train.runs import mho, small

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    machine._check_index.cache_clear()
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "as it was")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)


def test_without_cuda_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_cuda(monkeypatch)
    for place in ("cuda", "cuda:1"):
        with pytest.raises(ConfigError, match="is built without CUDA"):
            train(small(compute_device=place), out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [("train", "--data", "digits"), ("ablate", "--data", "digits")])
def test_from_a_shell_it_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    if torch.version.cuda is not None:
        pytest.skip("this torch has CUDA")
    said = mho(*command, "--device", "cuda", "--out", tmp_path / "run")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert f"this torch ({torch.__version__}) is built without CUDA; install one with CUDA" in said.stderr
    assert not (tmp_path / "run").exists()


def test_auto_takes_a_gpu_that_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    no_cuda(monkeypatch)
    assert device_of(RunConfig(compute_device="auto")) == CPU
    pretend(monkeypatch, [(9, 0)])
    assert device_of(RunConfig(compute_device="auto")) == torch.device("cuda:0")
    assert device_of(RunConfig(compute_device="auto", backend="cpu")) == CPU
    assert device_of(RunConfig(compute_device="auto"), processes=2) == CPU
    assert device_of(RunConfig()) == CPU
    pretend(monkeypatch, [(7, 0)])
    assert device_of(RunConfig(compute_device="auto")) == CPU


def test_precision_is_refused_where_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    no_cuda(monkeypatch)
    with pytest.raises(ConfigError, match="precision=bf16 is for products on a GPU, but compute_device=auto"):
        device_of(RunConfig(compute_device="auto", precision="bf16"))


def test_processes_share_batches_on_the_cpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    with pytest.raises(ConfigError, match=r"2 processes of torchrun .* compute_device is 'cuda'"):
        device_of(RunConfig(compute_device="cuda"), processes=2)


def test_a_run_on_the_cpu_says_so(tmp_path: Path) -> None:
    train(small(epochs=1), out=tmp_path / "run", progress=False)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["compute_device"], summary["precision"]) == ("cpu", "float32")
    assert "gpu" not in summary
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text())["compute_device"] == "cpu"


def test_a_summary_names_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, [(9, 0), (8, 6)])
    said = said_of(torch.device("cuda:1"), "bf16")
    assert (said["compute_device"], said["precision"]) == ("cuda:1", "bf16")
    assert said["gpu"]["name"] == "NVIDIA Test 1"
    assert {"capability", "memory", "cuda", "triton"} <= set(said["gpu"])


def test_a_run_goes_on_elsewhere_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(small(epochs=1), out=folder, progress=False)
    for name in ("metrics.jsonl", "checkpoint/state.json"):  # as if it had been trained on a GPU
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace('"compute_device": "cpu"', '"compute_device": "cuda"'))
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace('compute_device = "cpu"', 'compute_device = "cuda"'))
    _redo_checkpoint(folder, "cuda")
    with pytest.warns(UserWarning, match=r"this run was on cuda and goes on with cpu.*compute_device = "):
        result = train(small(compute_device="cpu", epochs=2), resume=folder, progress=False)
    assert [line["compute_device"] for line in result.metrics] == ["cuda", "cpu"]


def _redo_checkpoint(folder: Path, place: str) -> None:
    from mho.train.checkpoint import read_checkpoint, save_checkpoint

    found = read_checkpoint(folder / "checkpoint")
    assert found is not None
    state, tensors = found
    state["metrics"]["compute_device"] = place
    save_checkpoint(folder / "checkpoint", tensors, {k: v for k, v in state.items() if k not in ("format", "sha256")})


def test_memory_is_checked_before_anything_moves(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    """The number of chips that is offered passes the check, and one more does not."""
    pretend(monkeypatch, free=640 * 2**20)
    config = small(compute_device="cuda")
    with pytest.raises(GpuMemoryError) as error:
        Trainer(config.with_(chips=128), digits)
    words = str(error.value)
    assert "128 chips need" in words
    assert "0.6 GiB are free on NVIDIA Test 0 (cuda:0)" in words
    fits = int(words.rpartition("chips=")[2])
    assert 10 < fits < 128
    with pytest.raises(GpuMemoryError, match=f"{fits} chips? would fit"):
        Trainer(config.with_(chips=fits + 1), digits)
    monkeypatch.setattr(torch.nn.Module, "to", _moves)
    with pytest.raises(_MovedError):
        Trainer(config.with_(chips=fits), digits)


class _MovedError(Exception):
    """A model was moved to the GPU."""


def _moves(model: torch.nn.Module, device: torch.device) -> None:
    raise _MovedError


def test_bytes_of_a_sample_are_those_of_its_values() -> None:
    fcn = make_network("fcn", (1, 8, 8), 10)  # 64-256-128-10; values of Flatten, three matrices and two sigmoids
    values = 64 + 2 * 256 + 2 * 128 + 10
    assert sample_bytes(fcn, (1, 8, 8)) == 4 * 2 * values
    lenet = make_network("lenet", (1, 28, 28), 10)
    assert sample_bytes(lenet, (1, 28, 28)) > 4 * 2 * 64 * 16 * 25  # the unfolded second convolution


def test_the_sample_leaves_the_network_as_it_was() -> None:
    network = make_network("resnet-18-w4", (3, 32, 32), 10)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    sample_bytes(network, (3, 32, 32))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_memory_that_runs_out_in_training_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, free=GIB)
    with pytest.raises(GpuMemoryError, match=r"64 chips need more than .*chips would fit"), _on(64):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert not torch.are_deterministic_algorithms_enabled()


def _on(chips: int):  # type: ignore[no-untyped-def]
    return computing(torch.device("cuda:0"), chips, "bf16")


def test_torch_repeats_itself_only_while_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    before = torch.backends.cudnn.allow_tf32
    with _on(1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.allow_tf32
    with computing(torch.device("cuda:0"), 1):
        assert not torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.allow_tf32 == before
    with computing(CPU, 1):
        assert not torch.are_deterministic_algorithms_enabled()


def test_blocks_on_a_gpu_are_long_and_their_parts_small(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    trainer = Trainer(small(chips=64), digits)
    assert trainer._block_steps() == (1, 1)
    trainer.device = torch.device("cuda:0")
    assert trainer._block_steps() == (loop.GPU_BLOCK_STEPS, 250)
    monkeypatch.setattr(loop, "GPU_PART_BYTES", 4 * 10 * (64 + 8 * 64 * 10) * 7)
    assert trainer._block_steps() == (loop.GPU_BLOCK_STEPS, 7)


def test_parts_of_a_block_change_no_result(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    plain, parted = (Trainer(small(chips=2), digits) for _ in range(2))
    monkeypatch.setattr(parted, "_block_steps", lambda: (25, 3))
    a, b = plain.next_line(), parted.next_line()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, parted.model.state_dict()[name])
    assert a["train_loss"] == pytest.approx(b["train_loss"])
    assert a["train_accuracy"] == b["train_accuracy"]
    assert a["max_abs_d"] == b["max_abs_d"]
