"""Train by rules, and program, on the kernels of GPUs in Triton's interpreter and on the CPU; see test_gpu_rules."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mho
from kernels.interpreting import hasten
from mho import AnalogConfig, Periphery
from mho.config.laws import LEARNING
from mho.devices import Leak, SoftBounds, Spread, UnipolarSoftBounds
from mho.inference import Programming, StuckFaults, Verify, WriteError
from mho.tiles import ArraySettings, Cell, Refresh
from mho.tiles.array import Array
from mho.tiles.place import Place
from mho.update.program import program_
from mho.update.program_settings import Program
from mho.update.transfer import Buffer, Chopper, Schedule

COUNTERS = (".clock", ".done", ".reads")
READ = Periphery(noise_management="none", bound_management="none", output_noise=0.01)
SMALL = ArraySettings(SoftBounds(dw_min=Spread(0.002, d2d=0.3)))
RULES: dict[str, dict[str, Any]] = {
    "tiki-taka": {"gamma": 0.3, "schedule": Schedule(2, "vector", 2, order="random"), "read": READ},
    "ttv2": {"gamma": 0.3, "fast_lr": 5.0, "buffer": Buffer(granularity=5.0), "read": READ},
    "agad": {"fast_lr": 5.0, "chopper": Chopper(0.4), "buffer": Buffer(granularity=1.0), "read": READ},
    "mixed-precision": {"pulses": 1},
    "msp-lsp": {"every": 4, "residual": "lsp", "reset_noise": 0.001, "program.read_noise": 0.001, "lsp": SMALL},
}

LAYERS: dict[str, dict[str, Any]] = {
    "mixed-precision": {
        "device": UnipolarSoftBounds(dw_min=Spread(0.01, d2d=0.3)),
        "cell": Cell(pair="one-sided", refresh=Refresh(every=2, above=0.01)),
    },
    "tiki-taka": {"cell": Cell(devices=2, pulsed="turn")},
    "ttv2": {"device": SoftBounds(dw_min=Spread(0.01, d2d=0.3), leak=Leak(50.0), diffusion=0.001)},
}
WRITES = (
    (Cell(), Program(iterations=6, read_noise=0.01)),
    (Cell(pair="differential", devices=2, pulsed="turn"), Program(iterations=6, strategy="rewrite", total=9)),
)


def device(dw: float = 0.01) -> SoftBounds:
    return SoftBounds(dw_min=Spread(dw, d2d=0.3), up_down=1.0, c2c=0.3)


def trained(rule: str, backend: str, place: str = "cpu") -> nn.Module:
    """Return a layer on two chips, on a device, after a few steps of a rule."""
    forward = Periphery(noise_management="none", bound_management="none", output_noise=0.02)
    layer = {"device": device()} | LAYERS.get(rule, {})
    config = AnalogConfig(**layer, rule=LEARNING.named(rule)(), forward=forward)
    config = config.with_({f"rule.{path}": value for path, value in RULES[rule].items()} | {"update.bl": 5})
    torch.manual_seed(0)
    model = mho.convert_to_analog(nn.Sequential(nn.Linear(4, 3)), config, chips=2, seed=1)
    mho.set_backend(model.to(place), backend)
    steps(model, 3)
    return model


def steps(model: nn.Module, count: int, factor: float = 1.0) -> None:
    """Take training steps, by inputs that are multiplied by a factor."""
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(3)
    for _ in range(count):
        x, y = torch.rand(3, 4, generator=generator), torch.randint(3, (3,), generator=generator)
        x, y = (values.to(model[0].device) for values in (x, y))
        optimizer.zero_grad()
        out = model(mho.spread(x * factor, 2))
        mho.chip_loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"), out, y).backward()
        optimizer.step()


def written(cell: Cell, settings: Program, backend: str, place: str = "cpu") -> tuple[Array, str]:
    """Return an array that was programmed with verify, on a device, and how that went."""
    array = Array(ArraySettings(device(0.05), cell), Place("block", (3, 4), 5, (0, 1)))
    for tile in array.to(place).tile_list:
        tile.backend = backend
    target = 0.6 * (torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(4)) - 0.5)
    done = program_(array, target.to(place), settings)
    return array, f"{done.pulses} {done.resets} {done.iterations} {done.missed}"


def compare(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        found = other[key].cpu()
        if value.is_floating_point():
            torch.testing.assert_close(value, found, rtol=1e-5, atol=1e-6, msg=lambda m, key=key: f"{key}: {m}")
        else:
            assert torch.equal(value, found), key


def cases() -> Iterator[str]:
    for rule in RULES:
        cpu, gpu = trained(rule, "cpu"), trained(rule, "gpu")
        compare(cpu.state_dict(), gpu.state_dict())
        tally = [block.tally() for block in gpu[0].analog_blocks()]
        assert all(sum(told["pulses"]) > 0 for told in tally[0].values() if isinstance(told, dict)), (rule, tally)
        yield rule
        before = copy.deepcopy(gpu.state_dict())
        steps(gpu, 2, float("nan"))
        for key, value in gpu.state_dict().items():
            assert key.endswith(COUNTERS) or torch.equal(value, before[key]), f"{rule}: NaN moved {key}"
        yield f"{rule} after NaN"
    for cell, settings in WRITES:
        (cpu_array, cpu_told), (gpu_array, gpu_told) = (written(cell, settings, name) for name in ("cpu", "gpu"))
        compare(cpu_array.state_dict(), gpu_array.state_dict())
        assert cpu_told == gpu_told
        yield f"program and verify, {cell.pair}"
    model = trained("mixed-precision", "gpu")
    other = copy.deepcopy(model)
    settings = Programming(
        error=WriteError("additive", c2c=0.05), faults=StuckFaults(low=0.1), verify=Verify(iterations=3)
    )
    for one, backend in ((model, "gpu"), (other, "cpu")):
        mho.set_backend(one, backend)
        mho.program(one, settings)
        mho.age(one, 100.0)
    compare(model.state_dict(), other.state_dict())
    yield "programming"


if __name__ == "__main__":
    hasten()
    for told in cases():
        print("equal:", told, flush=True)
