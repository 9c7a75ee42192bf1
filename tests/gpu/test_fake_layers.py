"""Two training steps and an evaluation of every kind of layer and cell on a CUDA device that is not there.

No number is copied to the host, nothing on the host meets anything on the device.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorDeviceMismatchError
from torch.nn import functional as F

import mho
from gpu.fake import CUDA, HostCopy, MixedDevices, cuda, fake_cuda, to_fake
from mho.devices import Faults, Leak, SoftBounds, UnipolarSoftBounds
from mho.errors import ConfigError
from mho.nn.bayesian import BayesianLinear
from mho.nn.binary import BinaryLinear, Sign, train_with_errors_
from mho.optim import AnalogOptimizer, AnalogSGD

PRESET = mho.preset("gokmen-2017")
SOFT = PRESET.with_(device=SoftBounds())


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3))


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, groups=2, padding=1), nn.ReLU(), nn.Unflatten(2, (2, 3)), nn.Conv2d(4, 3, 2, padding="same"),
        nn.Unflatten(3, (1, 3)), nn.Conv3d(3, 2, (2, 1, 2), padding=(0, 1, 1), padding_mode="replicate"), nn.Flatten(),
        nn.LazyLinear(3),
    )  # fmt: skip


def digital() -> nn.Module:
    return nn.Sequential(
        nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.LayerNorm(8), nn.Unflatten(1, (2, 4)),
        nn.Conv1d(2, 2, 1), nn.Dropout1d(0.2), nn.Flatten(), mho.nn.L1BatchNorm1d(8), mho.nn.TopKBatchNorm1d(8),
        nn.Linear(8, 3),
    )  # fmt: skip


def drawn() -> nn.Module:
    made = nn.Sequential(
        nn.Linear(12, 8), Sign(), BinaryLinear(8, 8), nn.Tanh(), BayesianLinear(8, 8, name="b"), nn.Linear(8, 3)
    )
    return train_with_errors_(made, 0.1)


def train(monkeypatch, network, config, *, shape=(12,), chips=1, optimizer=AnalogSGD, lr=0.1, exclude=()) -> nn.Module:
    """Train two steps and evaluate once; return the model."""
    network(torch.zeros(2, *shape))
    model = mho.convert_to_analog(network, config, chips=chips, exclude=exclude)
    with fake_cuda(monkeypatch):
        to_fake(model)
        one = optimizer(model.parameters(), lr=lr)
        x, y = mho.spread(cuda(4, *shape), chips), cuda(4, classes=3)
        for _ in range(2):
            one.zero_grad()
            out = model(x)
            assert out.device == CUDA
            mho.chip_loss(F.cross_entropy, out, y).backward()
            one.step()
        model.eval()
        with torch.no_grad():
            assert model(x).device == CUDA
        for layer in mho.nn.layer.analog_layers(model):
            assert {t.device for t in layer.state_dict(keep_vars=True).values() if t.numel() and t.is_cuda} == {CUDA}
            assert all(tile.steps == 2 for tile in layer.analog_tiles())
            assert layer.analog_tiles()[0].calls["evaluate"] == 1
    return model


ADAM = lambda params, lr: AnalogOptimizer(torch.optim.Adam, params, lr=lr)  # noqa: E731
EXACT = {"forward": mho.Periphery(ideal=True), "backward": mho.Periphery(ideal=True)}


@pytest.mark.parametrize("optimizer", [AnalogSGD, ADAM])
@pytest.mark.parametrize(
    ("network", "shape", "exclude", "chips"),
    [
        (linear, (12,), (), 1), (linear, (12,), (), 3), (convolutions, (2, 6), (), 1), (convolutions, (2, 6), (), 3),
        (digital, (12,), ("5",), 1), (digital, (12,), ("5",), 3), (drawn, (12,), (), 1),
    ],
)  # fmt: skip
def test_layers(monkeypatch, network, shape, exclude, chips, optimizer):
    train(monkeypatch, network(), SOFT, shape=shape, chips=chips, optimizer=optimizer, exclude=exclude)


@pytest.mark.parametrize("network", [linear, convolutions])
@pytest.mark.parametrize(
    "mapping",
    [
        {"max_rows": 3, "max_columns": 5},
        {"max_rows": 5, "max_columns": 5, "scaling": "output", "learn_scale": True},
        {"max_rows": 5, "scaling": "tile", "learn_scale": True},
        {"bias": "digital", "scaling": "fixed", "scale": 2.0, "max_columns": 5},
        {"bias": "none", "count_pulses": False},
    ],
)
def test_mappings(monkeypatch, network, mapping):
    shape = (12,) if network is linear else (2, 6)
    train(monkeypatch, network(), SOFT.with_(mapping=mapping), shape=shape, chips=2)


CELLS = {
    "pair": {"pair": "differential"},
    "one-sided": {"pair": "one-sided"},
    "two devices": {"pair": "one-sided", "minus": UnipolarSoftBounds(dw_min=0.003)},
    "all": {"devices": 3, "pulsed": "all"},
    "random": {"devices": 3, "pulsed": "random"},
    "turn": {"devices": 2, "pulsed": "turn", "combine": "sum"},
    "pairs in turn": {"devices": 2, "pulsed": "turn", "pair": "differential"},
    "reference": {"reference": "device", "reference_value": 0.1},
    "column": {"reference": "column", "reference_value": mho.devices.Spread(0.1, std=0.1)},
    "refresh": {"pair": "one-sided", "refresh": mho.Refresh(every=1, above=0.5)},
    "ideal refresh": {"pair": "one-sided", "refresh": mho.Refresh(every=1, above=0.5, write="ideal")},
}


@pytest.mark.parametrize("trains", ["stochastic", "mean", "ideal"])
@pytest.mark.parametrize("name", CELLS)
def test_cells(monkeypatch, name, trains):
    device = UnipolarSoftBounds() if CELLS[name].get("pair") == "one-sided" else SoftBounds()
    config = PRESET.with_(device=device, cell=mho.Cell(**CELLS[name]), update={"trains": trains})
    train(monkeypatch, linear(), config, chips=2)


@pytest.mark.parametrize(
    "device",
    [
        SoftBounds(leak=Leak(lifetime=100.0)), SoftBounds(diffusion=0.01), SoftBounds(write_noise=0.5),
        SoftBounds(faults=Faults(dead=0.1, stuck=0.1)),
        SoftBounds(leak=Leak(lifetime=100.0), diffusion=0.01, write_noise=0.5, faults=Faults(stuck=0.1)),
    ],
)  # fmt: skip
def test_devices(monkeypatch, device):
    train(monkeypatch, linear(), PRESET.with_(device=device), chips=2)


@pytest.mark.parametrize(
    "trains", ["stochastic", "deterministic", "mean", "ideal", ("mean", "stochastic", "deterministic")]
)
@pytest.mark.parametrize("management", [True, False])
def test_updates(monkeypatch, trains, management):
    update = {"trains": trains, "bl_management": management, "update_management": management}
    train(monkeypatch, linear(), SOFT.with_(update=update), chips=3, lr=[0.1, 0.2, 0.3])


@pytest.mark.parametrize("noise_management", ["none", "max-abs", "constant", "running-max"])
@pytest.mark.parametrize("bound_management", ["none", "iterative", "worst-case"])
def test_peripheries(monkeypatch, noise_management, bound_management):
    side = mho.Periphery(
        noise_management=noise_management, bound_management=bound_management, dac_bits=7, adc_bits=9, output_bound=12.0,
        output_noise=0.06, input_noise=0.01, weight_noise=0.01,
    )  # fmt: skip
    train(monkeypatch, linear(), SOFT.with_(forward=side, backward=side))


def test_exact_products(monkeypatch):
    train(monkeypatch, convolutions(), SOFT.with_(**EXACT), shape=(2, 6))


@pytest.mark.parametrize("name", ["tf32", "bf16"])
def test_precisions(monkeypatch, name):
    made = linear()
    original = mho.convert_to_analog

    def converted(*args, **options):
        return mho.set_precision(original(*args, **options), name)

    monkeypatch.setattr(mho, "convert_to_analog", converted, raising=False)
    train(monkeypatch, made, SOFT)


def test_an_input_elsewhere_is_refused_by_name(monkeypatch):
    model = mho.convert_to_analog(nn.Sequential(linear(), nn.Flatten()), SOFT, chips=2)
    copies = mho.convert_to_analog(nn.Sequential(nn.BatchNorm1d(12), nn.Linear(12, 3)), SOFT, chips=2)
    parts = mho.convert_to_analog(nn.Linear(12, 3), SOFT.with_(mapping={"max_columns": 6}))
    with pytest.raises(ConfigError, match=r"layer '0.0' is on cpu, but its input is on meta.*x.to\('cpu'\)"):
        model(torch.empty(4, 12, device="meta"))
    with fake_cuda(monkeypatch):
        for made in (model, copies):
            with pytest.raises(ConfigError, match=r"is on cuda:0, but its input is on cpu.*x.to\('cuda:0'\)"):
                to_fake(made)(torch.empty(4, 12))
        to_fake(parts.grids[0].blocks[1])
        with pytest.raises(ConfigError, match=r"on different devices \(cpu, cuda:0\).*model.to\('cuda:0'\)"):
            parts(cuda(4, 12))


class Looks(nn.Module):
    def forward(self, x):
        return x * x.sum().item()


class Elsewhere(nn.Module):
    def forward(self, x):
        return x * torch.ones(12)


class Takes(nn.Module):
    def forward(self, x):
        return x.cpu()


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Copies(nn.Module):
    def forward(self, x):
        torch.zeros(x.shape).copy_(x)
        return x


@pytest.mark.parametrize(
    ("plant", "error"),
    [
        (Looks, DataDependentOutputException), (Branches, DataDependentOutputException),
        (Elsewhere, FakeTensorDeviceMismatchError), (Takes, HostCopy), (Copies, HostCopy),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(monkeypatch, plant, error):
    with pytest.raises(error):
        train(monkeypatch, nn.Sequential(plant(), nn.Linear(12, 3)), SOFT)


def test_a_kernel_given_a_tensor_of_the_host_is_found(monkeypatch):
    model = mho.convert_to_analog(nn.Linear(12, 3), SOFT)
    with fake_cuda(monkeypatch):
        tile = to_fake(model).analog_tiles()[0]
        tile.update_keys = torch.zeros(1, 5, 2, dtype=torch.int32)
        model(cuda(4, 12)).sum().backward()
        with pytest.raises(MixedDevices, match="cpu"):
            AnalogSGD(model.parameters(), lr=0.1).step()
