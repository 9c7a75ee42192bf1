"""The networks of `mho train`, fitted to the data, with initial weights from the run's seed alone."""

from __future__ import annotations

import importlib.util
import re
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path

from torch import nn

from mho.errors import ConfigError, nearest
from mho.nn.generator import seeded
from mho.random import make_key
from mho.train.deep_networks import Shape, resnet_18, vgg_16


def make_network(name: str, shape: Shape, classes: int, *, seed: int = 0) -> nn.Sequential | nn.Module:
    """Return a network for images of `shape`, with logits of `classes` as its outputs.

    name: "fcn", "fcn-250-125", "lenet", "lenet-5", "vgg-16", "resnet-18"; the last two with a width, the outputs of
        their first convolution, as "vgg-16-w16" (64 without); or "path/to/file.py:function", a function of
        (shape, classes) that returns a module.
    Raises ConfigError when there is no such network or the images do not fit it.
    """
    maker = NETWORKS.get(name) or _as_wide(name) or _own(name)
    with seeded(make_key(seed, 0, "network", "init")):
        try:
            network = maker(shape, classes)
        except ConfigError:
            raise
        except Exception as error:  # a user's function may raise anything
            raise ConfigError(
                f"network {name!r} for images of shape {shape} and {classes} classes raised "
                f"{type(error).__name__}: {error}"
            ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(f"network {name!r} returned {type(network).__name__}; it must return a torch.nn.Module")
    return network


def fcn(shape: Shape, classes: int) -> nn.Sequential:
    """Return the fully connected network of Gokmen & Vlasov 2016: inputs-256-128-classes with sigmoids."""
    return _named(
        flatten=nn.Flatten(),
        fc1=nn.Linear(prod(shape), 256), sigmoid1=nn.Sigmoid(),
        fc2=nn.Linear(256, 128), sigmoid2=nn.Sigmoid(),
        fc3=nn.Linear(128, classes),
    )  # fmt: skip


def fcn_250_125(shape: Shape, classes: int) -> nn.Sequential:
    """Return a fully connected network inputs-250-125-classes with tanh, of Burr et al. 2015 and its successors.

    With 528 inputs and 10 classes it has 164,885 weights, biases counted, which is the number that is published. The
    activation is not known to us: tanh is our choice.
    """
    return _named(
        flatten=nn.Flatten(),
        fc1=nn.Linear(prod(shape), 250), tanh1=nn.Tanh(),
        fc2=nn.Linear(250, 125), tanh2=nn.Tanh(),
        fc3=nn.Linear(125, classes),
    )  # fmt: skip


def lenet(shape: Shape, classes: int) -> nn.Sequential:
    """Return the network of Gokmen, Onen & Haensch 2017: convolutions of 16 and 32 5x5 kernels, 128 tanh."""
    channels, left = shape[0], _after_two_convolutions("lenet", shape, padding=0)
    return _named(
        conv1=nn.Conv2d(channels, 16, 5), tanh1=nn.Tanh(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(16, 32, 5), tanh2=nn.Tanh(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(32 * prod(left), 128), tanh3=nn.Tanh(),
        fc2=nn.Linear(128, classes),
    )  # fmt: skip


def lenet_5(shape: Shape, classes: int) -> nn.Sequential:
    """Return LeNet-5 as it is used today: convolutions of 6 and 16 5x5 kernels, 120 and 84 units, ReLU, max pooling.

    The first convolution has a padding of 2: the 32x32 pixels of the original (LeCun et al., Proc. IEEE 1998), which
    has tanh, trained subsampling and a sparse second convolution. With 1x28x28 pixels it has 61,706 weights.
    """
    left = _after_two_convolutions("lenet-5", shape, padding=2)
    return _named(
        conv1=nn.Conv2d(shape[0], 6, 5, padding=2), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(16 * prod(left), 120), relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84), relu4=nn.ReLU(),
        fc3=nn.Linear(84, classes),
    )  # fmt: skip


def _after_two_convolutions(name: str, shape: Shape, padding: int) -> list[int]:
    """Return the pixels that two 5x5 convolutions with poolings leave; raise ConfigError where there are none."""
    left = [((n + 2 * padding - 4) // 2 - 4) // 2 for n in shape[1:]]
    if min(left) < 1:
        least = 16 - 2 * padding
        raise ConfigError(
            f"network {name!r} was asked for on images of {shape[1]}x{shape[2]}, but its two 5x5 convolutions and "
            f"poolings need at least {least}x{least}; use --network fcn, or larger images such as --data mnist"
        )
    return left


NETWORKS: dict[str, Callable[[Shape, int], nn.Module]] = {
    "fcn": fcn, "fcn-250-125": fcn_250_125, "lenet": lenet, "lenet-5": lenet_5, "vgg-16": vgg_16,
    "resnet-18": resnet_18,
}  # fmt: skip
OF_ANY_WIDTH = {"vgg-16": vgg_16, "resnet-18": resnet_18}


def _as_wide(name: str) -> Callable[[Shape, int], nn.Module] | None:
    """Return a network of a width that its name tells, None for other names."""
    match = re.fullmatch(r"(.+)-w([1-9]\d*)", name)
    maker = OF_ANY_WIDTH.get(match[1]) if match else None
    return partial(maker, width=int(match[2])) if match and maker else None


def _named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def _own(name: str) -> Callable[[Shape, int], nn.Module]:
    """Return the function of a user's file that makes a network."""
    where, colon, attribute = name.rpartition(":")
    if not colon or not where.endswith(".py"):
        raise ConfigError(
            f"there is no network {name!r}; {nearest(name, NETWORKS)}; "
            "a network of your own is path/to/file.py:function"
        )
    path = Path(where).expanduser().resolve()
    spec = importlib.util.spec_from_file_location(f"mho_network_file_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"network {name!r}: there is no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's file may raise anything
        raise ConfigError(f"network {name!r}: running {path} raised {type(error).__name__}: {error}") from error
    maker = getattr(module, attribute, None)
    if not callable(maker):
        own = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__]
        raise ConfigError(
            f"network {name!r}: {path} has no function {attribute}(shape, classes); {nearest(attribute, own)}"
        )
    return maker
