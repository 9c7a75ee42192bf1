"""Programming, ageing, adaptation and hardware-aware training on a CUDA device without values: nothing on two devices.

What is no training step may look at numbers for its reports: `looking` answers such looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import mho
from gpu.fake import CUDA, cuda, fake_cuda, to_fake
from inference.programmed_models import EXACT, analog
from mho.inference import (
    Adaptation,
    Ageing,
    Conductances,
    Drift,
    FlickerNoise,
    HardwareAware,
    Programming,
    RandomSparse,
    ReadNoise,
    Retention,
    StuckFaults,
    Temperature,
    Verify,
    WeightClip,
    WeightNoise,
    WriteError,
    adaptation,
    hardware_aware,
    importance,
    preset_rows,
    recalibrate_batchnorm,
    sampling,
)
from mho.inference.differential import Memory, TwoStates
from mho.inference.hamming import data_of, words_of
from mho.inference.sampling import PairSampler
from mho.inference.uncertainty import auroc, expected_calibration_error
from mho.tiles import Cell
from rules.cases import busy, noisy

TABLE = ((0.0, 0.01, 0.1), (0.5, 0.0, 0.05), (1.0, -0.01, 0.1))
DRIFT = Drift(nu=[0.05, 0.06], nu_slope=-0.01, std=0.01, activation=0.2)
EVERYTHING = Ageing(
    DRIFT, Retention([1e5, 1e6], spread=0.2, beta=0.8, activation=0.5), Temperature(((0.0, 300.0), (60.0, 330.0))),
    ReadNoise([0.01, 0.02], 1e-8), FlickerNoise(0.01, 0.5),
)  # fmt: skip
SETTINGS: dict[str, Programming | str] = {row.name: row.name for row in preset_rows()} | {
    "additive": Programming(error=WriteError("additive", c2c=[0.1, 0.2], d2d=0.1)),
    "log-normal": Programming(Conductances("offset", levels=8), WriteError("log-normal", d2d=0.1)),
    "levels": Programming(Conductances("single"), WriteError("levels", c2c=0.7, d2d=0.7, table=TABLE)),
    "one level": Programming(error=WriteError("levels", c2c=1.0, table=TABLE[:1])),
    "tune": Programming(verify=Verify(read_noise=[0.01, 0.0], iterations=3, total=7)),
    "rewrite": Programming(error=WriteError("multiplicative", c2c=0.1), verify=Verify(strategy="rewrite")),
    "ageing": Programming(ageing=EVERYTHING, compensation="tile"),
    "column": Programming(Conductances(reach="output"), ageing=EVERYTHING, compensation="column"),
    "global": Programming(Conductances(reach="device"), ageing=Ageing(DRIFT), compensation="global"),
} | {
    kind: Programming(faults=StuckFaults([0.1, 0.2], 0.1, kind, 3))
    for kind in ("independent", "rows", "columns", "clusters")
}  # fmt: skip
NOISES = {
    "additive": WeightNoise("additive", 0.1, "output", drop=0.1),
    "multiplicative": WeightNoise("multiplicative", 0.1),
    "log-normal": WeightNoise("log-normal", 0.1),
    "programming": WeightNoise(
        "programming", programming=Programming(error=WriteError("log-normal", c2c=0.1), faults=StuckFaults(0.1))
    ),
}  # fmt: skip


ANSWERS = {Tensor.__bool__: True, Tensor.__int__: 1, Tensor.__index__: 1, Tensor.__float__: 1.0, Tensor.item: 1.0}


class _Looking(TorchFunctionMode):
    """Gives copies to the host, and answers looks at numbers: true, and 1."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in ANSWERS:
            return ANSWERS[func]
        if func is Tensor.cpu or (func is Tensor.to and args[1] == torch.device("cpu")):
            return torch.empty_like(args[0], device="cpu")
        if func in (Tensor.numpy, Tensor.tolist):
            found = np.ones(tuple(args[0].shape), str(args[0].dtype).removeprefix("torch."))
            return found.tolist() if func is Tensor.tolist else found
        return func(*args, **(kwargs or {}))


@contextmanager
def looking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_cuda(monkeypatch), _Looking():
        yield


def everything_is_there(model: nn.Module) -> None:
    assert all(t.device == CUDA for t in (*model.parameters(), *model.buffers()))


def images(count: int = 4) -> Tensor:
    """Return real images on the host, as a data set has them."""
    return torch.rand(count, 2, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SETTINGS)
def test_models_are_programmed_and_age_where_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = analog(2), images()
    with looking(monkeypatch):
        to_fake(model)
        report = mho.program(model, SETTINGS[name])
        for seconds in (1.0, 1e4):
            mho.age(model, seconds)
            everything_is_there(model)
        assert len(mho.inference.evaluate(model, (x, torch.arange(4)))) == 2
        mho.program(model, SETTINGS[name], seed=4)
        assert "all" not in str(report)
        mho.restore(model)
        assert model(mho.spread(x.to(CUDA), 2)).device == CUDA


def test_a_fault_map_of_the_host_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = mho.convert_to_analog(nn.Linear(3, 2, bias=False), EXACT, chips=2, seed=0)
    with looking(monkeypatch):
        mho.program(to_fake(model), Programming(), fault_map={model.name: np.zeros((2, 2, 3), np.int8)})
        everything_is_there(model)


def test_a_programmed_model_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    model = analog(2)
    mho.program(model, SETTINGS["ageing"])
    mho.age(model, 10.0)
    with looking(monkeypatch):
        to_fake(model)
        mho.age(model, 100.0)
        everything_is_there(model)
        here = {key.rpartition(".")[2] for key, value in model.state_dict().items() if not value.is_cuda}
    assert here == {"clock", "elapsed", "writes", "aged_times", "seed"}


@pytest.mark.parametrize("sparse", [RandomSparse(0.2), RandomSparse(0.2, select="importance", bits=None)])
def test_adaptation_happens_where_the_model_is(sparse: RandomSparse, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, y = analog(2), images(6), torch.arange(6) % 5
    monkeypatch.setattr(adaptation, "check_images", lambda given: given)  # numbers of the host that they look at
    monkeypatch.setattr(adaptation, "check_labels", lambda given, *_: given)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(128, 5))
    with looking(monkeypatch):
        mho.program(to_fake(model), "pcm")
        mho.inference.adapt(model, x, y, sparse, training=Adaptation(epochs=2, batch_size=4), teacher=teacher)
        everything_is_there(model)
        assert all(scores.device == CUDA for scores in importance(model, x, y).values())


def test_statistics_of_batchnorm_are_measured_there(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(108, 2))
    model, x = mho.convert_to_analog(net, EXACT, chips=2, seed=0), images(6)
    with looking(monkeypatch):
        mho.program(to_fake(model), "pcm")
        assert recalibrate_batchnorm(model, x, batch_size=3) == len(model.chips)
        everything_is_there(model)


@pytest.mark.parametrize("noise", NOISES)
def test_hardware_aware_training_copies_nothing(noise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))
    settings = HardwareAware(
        NOISES[noise],
        clip=WeightClip("deviations", 2.0, "output"),
        weight_bits=None if noise == "programming" else 5,
        input_bits=7,
        input_range="calibrated",
        output_bits=8,
        output_range="learned" if noise == "additive" else "batch",
    )
    aware = hardware_aware(net, settings)
    aware.calibrate([images()])
    with fake_cuda(monkeypatch):
        to_fake(net)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            net(cuda(4, 2, 8, 8)).square().sum().backward()
            optimizer.step()
        with _Looking():
            everything_is_there(aware.remove())


@pytest.mark.parametrize("settings", [{"method": "pulses", "pulses": 4, "read_noise": 0.01}, {"method": "mean"}])
@pytest.mark.parametrize("cell", [Cell(), Cell(devices=2, pulsed="random")])
def test_devices_are_zero_shifted_there(settings: Any, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mho.convert_to_analog(nn.Linear(3, 2), busy("tiki-taka", device=noisy(), cell=cell), chips=2, seed=0)
    model = nn.Sequential(model)
    with looking(monkeypatch):
        mho.zero_shift(to_fake(model), **settings, copy_error=0.01)
        everything_is_there(model)


def test_bits_samples_and_scores_are_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = PairSampler(
        WriteError("log-normal", c2c=0.2), torch.zeros(2, 3), torch.full((2, 3), 0.1), chips=(0, 1), name="layer"
    )
    monkeypatch.setattr(sampling, "measured", lambda *_, **named: sampler.curve)  # of a device on the host
    with looking(monkeypatch):
        bits = cuda(3, 6) > 0
        memory = Memory(TwoStates(chip_sigma=0.1), 0, (0, 1), "bits")
        words = words_of(bits)
        assert memory.single(bits).device == memory.differential(bits).device == CUDA
        assert data_of(memory.single(words, 1e4), 6).device == CUDA
        made = PairSampler(WriteError("log-normal", c2c=0.2), cuda(2, 3), cuda(2, 3), chips=(0, 1), name="layer")
        assert made.sample(1).device == CUDA
        assert expected_calibration_error(cuda(4, 3), cuda(4, classes=3)) == 1.0
        assert 0 <= auroc(cuda(4), cuda(5)) <= 1
    assert sampler.sample(1).device.type == "cpu"
