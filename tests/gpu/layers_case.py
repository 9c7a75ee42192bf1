"""Train layers on the kernels of GPUs in Triton's interpreter and on the CPU; see test_interpreted_layers."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from mho.devices import Faults, Leak, SoftBounds, Spread, UnipolarSoftBounds
from mho.errors import NotFiniteError
from mho.optim import AnalogOptimizer, AnalogSGD

SOFT = SoftBounds(dw_min=Spread(0.01, d2d=0.3), c2c=0.3)
UNIPOLAR = UnipolarSoftBounds(dw_min=Spread(0.02, d2d=0.3))
NOISE = mho.Periphery(bound_management="none", dac_bits=None, adc_bits=None, output_noise=0.02, output_bound=None)
"""Without converters: rounding of sums differs between the two, and at an edge of a converter a whole step follows."""
CASES: dict[str, dict[str, Any]] = {
    "several at random": {"device": SOFT, "cell": mho.Cell(devices=3, pulsed="random")},
    "pairs in turn": {"device": SOFT, "cell": mho.Cell(devices=2, pulsed="turn", pair="differential")},
    "one-sided, refreshed": {
        "device": UNIPOLAR, "cell": mho.Cell(pair="one-sided", refresh=mho.Refresh(every=2, above=0.1, write="ideal")),
    },
    "two laws": {"device": UNIPOLAR, "cell": mho.Cell(pair="one-sided", minus=UnipolarSoftBounds(dw_min=0.03))},
    "restless": {
        "device": SoftBounds(
            dw_min=0.01, leak=Leak(lifetime=50.0), diffusion=0.002, write_noise=0.5, faults=Faults(stuck=0.2)
        ),
        "cell": mho.Cell(reference="device", reference_value=Spread(0.02, std=0.05)),
    },
    "mean and pulses": {"device": SOFT, "update": {"trains": ("mean", "deterministic")}},
    "ideal": {"device": SOFT, "update": {"trains": "ideal"}, "mapping": {"scaling": "tile", "learn_scale": True}},
}  # fmt: skip


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 2, padding=1), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Flatten(), nn.BatchNorm1d(8), nn.Dropout(0.2),
        nn.Linear(8, 3),
    )  # fmt: skip


def trained(name: str, backend: str, device: str = "cpu") -> nn.Module:
    """Return a network on two chips after two steps and an evaluation between them."""
    settings = {"forward": NOISE, "backward": NOISE, "update": {"bl": 3}} | CASES[name]
    config = mho.AnalogConfig().with_(**settings)
    torch.manual_seed(0)
    model = mho.set_backend(mho.convert_to_analog(network().to(device), config, chips=2, seed=1), backend)
    adam = name == "ideal"
    make = (
        AnalogOptimizer(torch.optim.Adam, model.parameters(), lr=0.1) if adam else AnalogSGD(model.parameters(), 0.05)
    )
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        x = torch.rand(2, 1, 2, 2, generator=generator).to(device)
        y = torch.randint(3, (2,), generator=generator).to(device)
        make.zero_grad()
        mho.chip_loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"), model(mho.spread(x, 2)), y).backward()
        make.step()
        with torch.no_grad():
            model.eval()(mho.spread(x, 2))
        model.train()
    make.check()
    return model


def compare(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        if value.is_floating_point():
            torch.testing.assert_close(
                value, other[key].cpu(), rtol=1e-4, atol=1e-5, msg=lambda m, key=key: f"{key}: {m}"
            )
        else:
            assert torch.equal(value, other[key].cpu()), key


def bad_batch(digital: Any, device: str = "cpu") -> None:
    """A NaN in one layer leaves all layers and digital parameters as they were, until a look names the layer."""
    config = mho.AnalogConfig(device=SoftBounds(dw_min=0.05)).with_(update={"bl": 2})
    model = mho.convert_to_analog(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)), config)
    mho.set_backend(model.to(device), "gpu")
    optimizer = digital(model.parameters())
    torch.manual_seed(0)

    def step(scale: float) -> None:
        optimizer.zero_grad()
        out = model[0](torch.rand(5, 4).to(device))
        out.register_hook(lambda d: d * scale)
        F.cross_entropy(model[2:](model[1:2](out)), torch.arange(5, device=device) % 3).backward()
        optimizer.step()

    step(1.0)
    optimizer.check()
    before = {k: v.clone() for k, v in model.state_dict().items() if "running" not in k and "tracked" not in k}
    step(float("nan"))
    step(1.0)
    now = model.state_dict()
    for key, value in before.items():
        assert key.endswith("clock") or torch.equal(value, now[key]), key
    with pytest.raises(NotFiniteError, match=r"layer '0', update: .* in the last 2 step"):
        optimizer.check()
    step(1.0)
    optimizer.check()
    assert not torch.equal(model.state_dict()["0.grids.0.blocks.0.arrays.weight.tiles.0.state"],
                           before["0.grids.0.blocks.0.arrays.weight.tiles.0.state"])  # fmt: skip
    assert not torch.equal(model.state_dict()["1.weight"], before["1.weight"])


DIGITAL: dict[str, Any] = {
    "a bad batch, sgd": lambda parameters: AnalogSGD(parameters, 0.1),
    "a bad batch, adam": lambda parameters: AnalogOptimizer(torch.optim.Adam, parameters, lr=0.1),
    "a bad batch, fused": lambda ps: AnalogOptimizer(torch.optim.SGD, ps, lr=0.1, momentum=0.9, fused=True),
}


def equal(name: str) -> None:
    """Train on both, and raise AssertionError where pulses were counted otherwise, or states differ."""
    if name in DIGITAL:
        bad_batch(DIGITAL[name])
        return
    cpu, gpu = trained(name, "cpu"), trained(name, "gpu")
    compare(cpu.state_dict(), gpu.state_dict())
    pulses = [int(t.totals.sum()) for layer in mho.nn.layer.analog_layers(gpu) for t in layer.analog_tiles()]
    assert name == "ideal" or sum(pulses) > 0, pulses


if __name__ == "__main__":
    for asked in sys.argv[1:]:
        equal(asked)
        print("equal:", asked)
