"""A training by several ranks that ends while torch still holds its process group; run as a program by torchrun.

`python -m torch.distributed.run ... leaving.py OUT KIND` leaves the names of a rank's threads in OUT/RANK when nothing
but the end of the interpreter is left: after `mho.train` ("train"), or after a loop of one's own ("loop", or "wrapped"
in torch's DistributedDataParallel).
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

import torch
from torch import nn

import mho


def threads_of_gloo() -> str:
    """Return the names of this process's threads that are torch's transfers."""
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return " ".join(name for name in names if "gloo" in name)


def loop(*, wrapped: bool) -> nn.Module:
    """Train for some steps; return the model, which outlives the program's last line."""
    torch.manual_seed(0)
    config = mho.preset("gokmen-2017").with_({"mapping.bias": "digital"})
    model = mho.distribute(mho.convert_to_analog(nn.Linear(4, 3), config), ddp=wrapped)
    called = nn.parallel.DistributedDataParallel(model) if wrapped else model
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        called(torch.rand(4, 4)).square().sum().backward()
        optimizer.step()
    assert threads_of_gloo(), "without threads there is nothing to see"
    return called


if __name__ == "__main__":
    out, kind = Path(sys.argv[1]) / os.environ["RANK"], sys.argv[2]
    atexit.register(lambda: out.write_text(threads_of_gloo()))  # runs last: what is registered later runs before
    if kind == "train":
        mho.train(mho.RunConfig(data="digits", train_images=12, epochs=1, batch_size=6, threads=1), progress=False)
        assert not threads_of_gloo(), threads_of_gloo()
    else:
        held = loop(wrapped=kind == "wrapped")
    sys.setswitchinterval(1000)  # a thread that needs the interpreter gets it only when this one waits, or ends
