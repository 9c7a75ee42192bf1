"""What is said of a machine's GPUs: none, none of that number, an old one, too little memory, no Triton."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kernels.gpu_machine import GIB, pretend
from mho.errors import ConfigError, GpuMemoryError
from mho.kernels.gpu import machine


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    machine._check_index.cache_clear()
    yield
    machine._check_index.cache_clear()


def test_a_gpu_that_will_do_gets_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, [(9, 0), (8, 0)])
    assert machine.check_gpu("cuda") == torch.device("cuda", 0)
    assert machine.check_gpu("cuda:1") == torch.device("cuda", 1)
    assert machine.usable_gpu() == torch.device("cuda", 0)


def test_torch_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match="built without CUDA") as error:
        machine.check_gpu("cuda")
    assert torch.__version__ in str(error.value)
    assert "--device cpu" in str(error.value)
    assert machine.usable_gpu() is None


def test_no_gpu_names_what_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(ConfigError, match=r"finds no NVIDIA GPU \(CUDA_VISIBLE_DEVICES='7'.*nvidia-smi"):
        machine.check_gpu("cuda")


def test_a_build_for_amd_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    with pytest.raises(ConfigError, match="ROCm"):
        machine.check_gpu("cuda")


@pytest.mark.parametrize(("count", "have"), [(1, "one GPU, cuda:0"), (2, "2 GPUs, cuda:0 to cuda:1")])
def test_a_number_that_is_not_there(monkeypatch: pytest.MonkeyPatch, count: int, have: str) -> None:
    pretend(monkeypatch, [(9, 0)] * count)
    with pytest.raises(ConfigError, match=f"'cuda:3' was asked for, but torch finds {have}"):
        machine.check_gpu("cuda:3")


def test_an_old_gpu_is_named_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, [(8, 0), (7, 5)])
    with pytest.raises(ConfigError, match=r"NVIDIA Test 1 with compute capability 7\.5, .* need 8\.0 or more"):
        machine.check_gpu("cuda:1")
    pretend(monkeypatch, [(7, 9)])
    assert machine.usable_gpu() is None


def test_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, triton=False)
    with pytest.raises(ConfigError, match="Triton, which compiles device laws for GPUs, is not installed"):
        machine.check_gpu("cuda")


def test_memory_says_how_many_chips_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, free=8 * GIB)
    machine.check_memory("cuda:0", 40, per_chip=0.2 * GIB)  # 8.0 GiB
    with pytest.raises(GpuMemoryError) as error:
        machine.check_memory("cuda:0", 64, per_chip=0.2 * GIB, shared=0.3 * GIB)
    assert str(error.value) == (
        "64 chips need 13.1 GiB, 8.0 GiB are free on NVIDIA Test 0 (cuda:0); 38 chips would fit: give chips=38"
    )


def test_memory_that_torch_keeps_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, free=GIB, kept=2 * GIB)
    machine.check_memory("cuda:0", 3, per_chip=GIB)
    with pytest.raises(GpuMemoryError, match=r"3\.0 GiB are free"):
        machine.check_memory("cuda:0", 4, per_chip=GIB)


@pytest.mark.parametrize(("chips", "advice"), [(1, "1 chip needs .* a smaller batch_size or network"), (9, "one chip")])
def test_memory_for_no_chip_at_all(monkeypatch: pytest.MonkeyPatch, chips: int, advice: str) -> None:
    pretend(monkeypatch, free=GIB)
    with pytest.raises(GpuMemoryError, match=f"not one chip would fit.*{advice}" if chips > 1 else advice):
        machine.check_memory("cuda:0", chips, per_chip=1.5 * GIB)


def test_memory_that_runs_out_later_offers_fewer_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, free=5 * GIB)  # the peak that was taken is 4 GiB
    assert "about 51 chips would fit: give chips=51" in str(machine.out_of_memory("cuda:0", 64))
    assert "about 1 chip would fit: give chips=1" in str(machine.out_of_memory("cuda:0", 2))
    assert "a smaller batch_size or network" in str(machine.out_of_memory("cuda:0", 1))


def test_a_record_of_the_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch)
    file = tmp_path / "version"
    monkeypatch.setattr(machine, "DRIVER_FILE", file)
    assert "driver" not in machine.about_gpu("cuda:0")
    file.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC 12.3.0\n")
    told = machine.about_gpu("cuda:0")
    assert told["driver"] == "570.86.15"
    assert [told[key] for key in ("name", "capability", "memory", "cuda")] == [
        "NVIDIA Test 0",
        "9.0",
        "10.0 GiB",
        "13.0",
    ]
