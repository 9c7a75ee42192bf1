"""Train a network on a device of your own: ten lines of Python, at the speed of a built-in one.

    python examples/own_device.py

The steps of the device below fade towards both bounds alike, by a factor exp(-fade) from w = 0 to the bound. It is
checked first, then trained with three values of `fade` and compared with a constant-step device. Expect the accuracy to
fall with `fade`: away from w = 0 a pulse towards the bound moves less than a pulse back, so that the many pulse pairs
that cancel in a gradient pull every weight to the symmetry point at 0. Nothing else differs between the three.
A new law is compiled once, in seconds; the second start finds it in the cache, and an edited law is compiled anew.
"""

from __future__ import annotations

import time

import torch
from torch.nn import functional as F

import mho
from mho.devices import ConstantStep, Device, Spread, exp, law, maximum, minimum, where


class Fading(Device):
    """Steps dw exp(-fade abs(w)/top) towards a bound, dw exp(fade abs(w)/top) away from it, between -top and top."""

    dw_min: Spread = Spread(0.002, d2d=0.2)
    w_max: Spread = Spread(0.8, d2d=0.1)
    fade: float = 0.1
    c2c: float = 0.2

    def cells(self, draw):  # type: ignore[no-untyped-def]
        """Return the arrays of the law: one value per device, or a number for all."""
        top = draw(self.w_max)
        return {"dw": draw(self.dw_min), "top": top, "bottom": -top, "fade": self.fade, "c2c": self.c2c}

    @law
    def pulse(w, up, xi, dw, top, bottom, fade, c2c):  # type: ignore[no-untyped-def]
        """Move one device by one pulse."""
        step = where(up, dw, -dw) * exp(-fade * where(up, w, -w) / top) * (1.0 + c2c * xi)
        return minimum(maximum(w + step, bottom), top)

    def symmetry_point(self):  # type: ignore[no-untyped-def]
        """Return where steps up and down are equal."""
        return 0.0


def train(device: Device, epochs: int = 10) -> tuple[float, float]:
    """Return the test accuracy in percent and the seconds per step of a small network on the digits."""
    digits = mho.data.load("digits")
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 128), torch.nn.Sigmoid(), torch.nn.Linear(128, 10)
    )
    model = mho.convert_to_analog(net, mho.preset("gokmen-2017").with_(device=device), seed=1)
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.02)
    steps, seconds = 0, 0.0
    for _ in range(epochs):
        for x, y in zip(digits.train_x.split(10), digits.train_y.split(10), strict=True):
            start = time.perf_counter()
            loss = F.cross_entropy(model(x), y, reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if steps >= 20:  # the first steps compile
                seconds += time.perf_counter() - start
            steps += 1
    with torch.no_grad():
        right = (model.eval()(digits.test_x).argmax(1) == digits.test_y).float().mean()
    return 100 * float(right), seconds / (steps - 20)


def main() -> None:
    """Check the device, and compare it with itself and with a built-in one."""
    print(mho.check_device(Fading))
    devices = {f"Fading(fade={fade})": Fading(fade=fade) for fade in (0.1, 0.5, 2.0)}
    for name, device in (devices | {"ConstantStep": ConstantStep(dw_min=0.002, w_max=0.8, w_min=-0.8)}).items():
        torch.manual_seed(0)
        accuracy, seconds = train(device)
        print(f"{name:17} test accuracy {accuracy:.2f} %, {1e3 * seconds:.2f} ms a step")


if __name__ == "__main__":
    main()
