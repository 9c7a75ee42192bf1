"""What several ranks must refuse, one after the other in one launch: OUT/RANK.json holds the message of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

import mho
from mho.errors import MhoError

PRESET = mho.preset("gokmen-2017")


def model(seed: int = 0, lr: float = 0.05, digital: bool = False) -> tuple[nn.Module, mho.optim.AnalogSGD]:
    """Return a distributed model and its optimizer."""
    torch.manual_seed(seed)
    config = PRESET.with_({"mapping.bias": "digital"}) if digital else PRESET
    made = mho.distribute(mho.convert_to_analog(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), config, seed=1))
    return made, mho.optim.AnalogSGD(made.parameters(), lr=lr)


def step(made: nn.Module, optimizer: mho.optim.AnalogSGD, x: Tensor) -> None:
    """Train a step."""
    optimizer.zero_grad()
    made(x).square().sum().backward()
    optimizer.step()


def other_seed(rank: int) -> None:
    """Different conversion seeds."""
    mho.distribute(mho.convert_to_analog(nn.Linear(4, 3), PRESET, seed=rank))


def other_settings(rank: int) -> None:
    """Different devices."""
    mho.distribute(mho.convert_to_analog(nn.Linear(4, 3), PRESET.with_(dw_min=0.001 * (1 + rank))))


def other_weights(rank: int) -> None:
    """Different initial weights."""
    model(seed=rank)


def uneven(rank: int) -> None:
    """Different numbers of samples."""
    made, optimizer = model()
    step(made, optimizer, torch.rand(4 + rank, 4))


def other_layers(rank: int) -> None:
    """A layer that one rank does not use."""
    made, optimizer = model()
    optimizer.zero_grad()
    x = torch.rand(4, 4)
    out = made(x) if rank == 0 else made[0](x)  # type: ignore[index]
    out.square().sum().backward()
    optimizer.step()


def infinite(rank: int) -> None:
    """An error d that is not finite, on one rank: all refuse the step, and nothing moves."""
    made, optimizer = model()
    before = made[1].get_weights()[0]  # type: ignore[index]
    optimizer.zero_grad()
    out = made(torch.rand(4, 4))
    out.register_hook(lambda grad: torch.full_like(grad, float("nan")) if rank == 1 else grad)
    kept = made[1].grid_list[0]  # type: ignore[index]
    kept.back = lambda d, **_: torch.zeros(1, d.shape[2], 3)  # the last layer's own product would refuse it on one rank
    out.square().sum().backward()
    try:
        optimizer.step()
    finally:
        assert torch.equal(before, made[1].get_weights()[0])  # type: ignore[index]


def twice(rank: int) -> None:
    """A model that is distributed already."""
    mho.distribute(model()[0])


def instance_norm(rank: int) -> None:
    """A layer with running averages that mho does not put together."""
    net = nn.Sequential(nn.Linear(4, 3), nn.InstanceNorm1d(3, track_running_stats=True))
    mho.distribute(mho.convert_to_analog(net, PRESET))


def drifted(rank: int) -> None:
    """Digital parameters that nobody put together."""
    made, _ = model(digital=True)
    with torch.no_grad():
        made[0].bias += rank  # type: ignore[index]
    mho.distributed.check(made, made[0].ranks)  # type: ignore[index,arg-type]


def no_ddp(rank: int) -> None:
    """ddp=True, but the model is not called through DistributedDataParallel."""
    torch.manual_seed(0)
    config = PRESET.with_({"mapping.bias": "digital"})
    made = mho.distribute(mho.convert_to_analog(nn.Linear(4, 3), config), ddp=True)
    step(made, mho.optim.AnalogSGD(made.parameters(), lr=0.1), torch.rand(4, 4) + rank)


def apart(rank: int) -> None:
    """Chips that each rank moves on its own: a warning, made an error here."""
    made = mho.convert_to_analog(nn.Linear(4, 3), PRESET)
    step(made, mho.optim.AnalogSGD(made.parameters(), lr=0.1), torch.rand(4, 4))


CASES: tuple[Callable[[int], None], ...] = (
    other_seed, other_settings, other_weights, uneven, other_layers, infinite, twice, instance_norm, drifted, no_ddp,
    apart,
)  # fmt: skip


def main(out: Path) -> None:
    """Run all cases."""
    import warnings

    warnings.simplefilter("error", UserWarning)
    distributed.init_process_group("gloo")
    rank, told = distributed.get_rank(), {}
    for case in CASES:
        try:
            case(rank)
        except (MhoError, UserWarning) as error:
            told[case.__name__] = f"{type(error).__name__}: {error}"
    (out / f"{rank}.json").write_text(json.dumps(told))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
