"""Training curves on full MNIST equal those of an independent simulator, run on the same task.

784-256-128-10, batch 10, learning rate 0.1, initial weights and order of images from the same seed. Its pulses and
noises are other draws, so means over runs are compared; plain torch must be equal to the digits kept.
One thing was turned off in the simulator: it drops the error of every output that reached its output bound from the
backward product, even where bound management has repeated the product. With the symmetry point off zero that stops
the lower layers (its loss stays near 3.0). mho passes every error, as an array would.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import mho
from mho import AnalogConfig, Mapping
from mho.devices import SoftBounds, Spread
from mho.errors import DataError
from mho.nn.parameter import AnalogParameter

pytestmark = pytest.mark.slow

KIT = json.loads((Path(__file__).parents[1] / "data" / "training_mnist.json").read_text())
Images = tuple[torch.Tensor, torch.Tensor]
STEPS, WINDOW, LR = KIT["steps"], KIT["window"], KIT["learning_rate"]
CHIPS = 4
FALSE_ALARM = 1e-4
"""Of one configuration, over all windows of its curve and the spreads of its weights (Bonferroni)."""
GOKMEN = mho.preset("aihwkit-gokmen-vlasov").with_(mapping=Mapping(512, 512, bias="digital"))


def soft_bounds(a_up: float, a_down: float) -> AnalogConfig:
    """Return the converters of the preset around soft bounds of these steps at w = 0, without spread."""
    mean, ratio = Spread((a_up + a_down) / 2), Spread(a_up / a_down)
    return GOKMEN.with_(device=SoftBounds(dw_min=mean, up_down=ratio, w_max=Spread(1.0), w_min=Spread(-1.0), c2c=0.3))


# The simulator shares pulses out by its dw_min, the larger of the two steps, mho by their mean: with a- = 2/3 a+
# the same number of pulses needs 5/6 of the rate.
CASES = {
    "GokmenVlasov": (GOKMEN, 1.0),
    "SoftBounds symmetric": (soft_bounds(0.001, 0.001), 1.0),
    "SoftBounds SP +0.2": (soft_bounds(0.001, 0.001 * 2 / 3), 5 / 6),
}


@pytest.fixture(scope="module")
def mnist() -> Images:
    """Return the training images and labels, or skip where there are none."""
    try:
        data = mho.data.load("mnist")
    except DataError as error:
        pytest.skip(f"needs MNIST: {error}")
    return data.train_x, data.train_y


def network(seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    nn = torch.nn
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.Sigmoid(), nn.Linear(256, 128), nn.Sigmoid(), nn.Linear(128, 10)
    )


def curve(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, mnist: Images, *, seed: int, chips: int
) -> np.ndarray:
    """Return the mean loss of every window of steps, (windows, chips)."""
    images, labels = mnist
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1000 + seed))
    losses = []
    for batch in order.split(10)[:STEPS]:
        out = mho.per_chip(model(mho.spread(images[batch], chips)), chips)
        loss = torch.stack([torch.nn.functional.cross_entropy(one, labels[batch]) for one in out])
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.detach().numpy())
    return np.array(losses).reshape(-1, WINDOW, chips).mean(1)


def test_plain_torch_gives_the_same_curve(mnist: Images) -> None:
    """The same data, order, initial weights and loss: else nothing below compares."""
    model = network(1)
    ours = curve(model, torch.optim.SGD(model.parameters(), lr=LR), mnist, seed=1, chips=1)[:, 0]
    np.testing.assert_allclose(ours, KIT["torch"]["loss"], atol=2e-4)


@pytest.mark.parametrize("name", CASES)
def test_analog_training_follows_the_same_curve(name: str, mnist: Images) -> None:
    """Losses over training and the spread of each layer's weights, by t tests pooled over seeds."""
    config, share = CASES[name]
    ours, theirs = [], []
    for seed in KIT["seeds"]:
        model = mho.convert_to_analog(network(seed), config, seed=seed, chips=CHIPS)
        params = list(model.parameters())
        pulsed = [p for p in params if isinstance(p, AnalogParameter)]
        digital = [p for p in params if not isinstance(p, AnalogParameter)]
        groups = [{"params": pulsed, "lr": LR * share}, {"params": digital, "lr": LR}]
        losses = curve(model, mho.optim.AnalogSGD(groups, lr=LR), mnist, seed=seed, chips=CHIPS)
        spreads = [p.layer.get_weights()[0].flatten(1).std(1).numpy() for p in pulsed]
        ours.append(np.vstack([losses, *spreads]))
        runs = [r for r in KIT["runs"] if r["config"] == name and r["seed"] == seed]
        theirs.append(np.array([r["loss"] + r["weight_std"] for r in runs]).T)
    a, b = np.array(ours), np.array(theirs)  # (seeds, figures, runs)
    difference = (a.mean(2) - b.mean(2)).mean(0)
    degrees = len(a) * (a.shape[2] + b.shape[2] - 2)
    spread = (a.var(2) * a.shape[2] + b.var(2) * b.shape[2]).sum(0) / degrees
    error = np.sqrt(spread * (1 / a.shape[2] + 1 / b.shape[2]) / len(a) + KIT["rounding"] ** 2)
    limit = stats.t.ppf(1 - FALSE_ALARM / (2 * len(difference)), degrees)
    shown = [f"{d:+.4f} +- {e:.4f}" for d, e in zip(difference, error, strict=True)]
    assert (np.abs(difference) < limit * error).all(), f"mho minus simulator, of {len(difference)} figures: {shown}"
