"""The calibration set of an adaptation: a few training images of every class, and what is wrong with a set."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mho.errors import ConfigError, NotFiniteError, ShapeError
from mho.random import make_key, permutation


def balanced(labels: Tensor | np.ndarray, count: int, *, seed: int = 0) -> Tensor:
    """Return the rows, int64 (count,), of a calibration set with the same number of samples of every class.

    labels: (n,), of the training set. Drawn from `seed`, so that a larger `count` adds rows to a smaller one; where
    `count` is no multiple of the classes, the first ones have one more. Raises ConfigError for a count that is smaller
    than the number of classes or that a class cannot fill.
    """
    found = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    classes = np.unique(found)
    each, more = divmod(count, max(1, len(classes)))
    if each < 1:
        raise ConfigError(
            f"a calibration set of {count} images cannot hold {len(classes)} classes; ask for more images"
        )
    order = permutation(len(found), make_key(seed, 0, "calibration", "order"), 0)
    rows = []
    for k, label in enumerate(classes):
        mine = order[found[order] == label]
        wanted = each + (k < more)
        if len(mine) < wanted:
            raise ConfigError(
                f"a calibration set of {count} images has {wanted} of every class, but class {label} has {len(mine)} "
                f"training images; ask for at most {len(mine) * len(classes)}"
            )
        rows.append(mine[:wanted])
    return torch.from_numpy(np.sort(np.concatenate(rows)).astype(np.int64))


def check_images(images: Tensor | np.ndarray) -> Tensor:
    """Return calibration images as float32 (n, ...); raise ConfigError or NotFiniteError for what is none."""
    if not isinstance(images, (Tensor, np.ndarray)) or images.ndim < 2 or len(images) == 0:
        found = f"shape {tuple(images.shape)}" if isinstance(images, (Tensor, np.ndarray)) else type(images).__name__
        raise ConfigError(
            f"adaptation takes a calibration set, images (n, ...) and labels (n,), found {found}; pick some of the "
            "training images: rows = mho.inference.balanced(data.train_labels, 500); x, y = data.batch(rows)"
        )
    made = torch.as_tensor(images).float()
    if not bool(torch.isfinite(made).all()):
        raise NotFiniteError("the calibration images hold NaN or infinity; no value was changed")
    return made


def check_labels(labels: Tensor | np.ndarray, count: int, loss: str) -> Tensor:
    """Return the labels (n,) int64 of `count` images, or the targets (n, ...) float32 of the loss "mse".

    Raises ShapeError for another number of them; ConfigError for labels of a single class or that are no class numbers.
    """
    made = torch.as_tensor(labels)
    if made.dim() == 0 or len(made) != count or (loss != "mse" and made.dim() != 1):
        raise ShapeError(
            f"a calibration set of {count} images came with labels of shape {tuple(made.shape)}, but every image needs "
            f"one; give ({count},) class numbers"
        )
    if loss == "mse":
        return made.float()
    if made.is_floating_point() or made.dtype == torch.bool or bool((made < 0).any()):
        raise ConfigError(
            f"labels of a calibration set are class numbers from 0, found {made.dtype} from {made.min().item()}; give "
            'labels.long(), or for targets Adaptation(loss="mse")'
        )
    if len(torch.unique(made)) < 2:
        raise ConfigError(
            f"the calibration set has {count} images of class {made[0].item()} alone, so a network that always says so "
            "would be right; give images of every class, as mho.inference.balanced picks them"
        )
    return made.long()


def largest(labels: Tensor) -> int:
    """Return the largest class number of a calibration set; 0 for targets."""
    return 0 if labels.is_floating_point() else int(labels.max())


def check_outputs(out: Tensor, labels: Tensor, loss: str, most: int) -> None:
    """Raise ConfigError for labels beyond outputs (chips, images, classes), ShapeError for targets that do not fit.

    most: the largest label of the calibration set.
    """
    if loss == "mse":
        if out.shape[1:] != labels.shape:
            raise ShapeError(
                f"targets of shape {tuple(labels.shape)} were given for outputs of shape {tuple(out.shape[1:])}; the "
                "mean square error compares one with one"
            )
    elif out.dim() != 3 or most >= out.shape[2]:
        raise ConfigError(
            f"the network gives outputs of shape {tuple(out.shape[1:])} (images, classes), but the calibration set has "
            f"a label {most}; labels run from 0 to the number of outputs - 1"
        )
