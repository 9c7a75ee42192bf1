"""Where a run is computed, as settings: what is taken, and what is said of the rest."""

from __future__ import annotations

import pytest

from mho.config import RunConfig, dump, loads, override
from mho.config.places import is_place
from mho.errors import ConfigError


@pytest.mark.parametrize("place", ["auto", "cpu", "cuda", "cuda:0", "cuda:15"])
def test_places(place: str) -> None:
    config = RunConfig(compute_device=place)
    assert loads(dump(config)).compute_device == place
    assert override(RunConfig(), [f"compute_device={place}"], "") == config


@pytest.mark.parametrize("place", ["", "cuda:", "cuda:-1", "cuda:x", "CUDA", "mps", "reram-sb", "cpu:0"])
def test_other_places_are_refused(place: str) -> None:
    assert not is_place(place)
    with pytest.raises(ConfigError, match=r"compute_device: where the run is computed is .* --set device=NAME"):
        RunConfig(compute_device=place)


def test_gpu_is_cuda() -> None:
    with pytest.raises(ConfigError, match="did you mean 'cuda'"):
        RunConfig(compute_device="gpu")


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_precisions(precision: str) -> None:
    assert override(RunConfig(compute_device="auto"), [f"precision={precision}"], "").precision == precision


def test_an_unknown_precision_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="precision: expected one of float32, tf32, bf16, found 'fp16'"):
        RunConfig(precision="fp16")  # type: ignore[arg-type]


def test_settings_that_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match='backend: "cpu" moves devices on the CPU, but compute_device is "cuda"'):
        RunConfig(compute_device="cuda", backend="cpu")
    with pytest.raises(ConfigError, match='precision: "bf16" is for products on a GPU'):
        RunConfig(precision="bf16")
    assert RunConfig(precision="bf16", backend="gpu").precision == "bf16"  # Triton's interpreter


def test_a_memory_device_of_that_name_is_told_apart() -> None:
    with pytest.raises(ConfigError, match=r"'cuda' is a place to compute, not a memory device.*compute_device='cuda'"):
        override(RunConfig(), ["device=cuda"], "")
