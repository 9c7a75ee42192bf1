"""Calibration sets: what is picked, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from inference.disturbed import converted
from mho.data import load
from mho.errors import ConfigError, NotFiniteError, ShapeError
from mho.inference.adapt_set import balanced
from mho.inference.adaptation import adapt
from mho.inference.sparse_attach import adapted_layers, attach
from mho.inference.sparse_settings import Adaptation, RandomSparse
from nn.networks import ideal

X, Y = torch.rand(8, 6), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
MSE = Adaptation(loss="mse")
WRONG = [
    (ConfigError, "8 images of class 4 alone", (X, torch.full((8,), 4)), {}),
    (ConfigError, "found Dataset", (load("digits"), Y), {}),
    (ConfigError, "calibration set", (X[:0], Y[:0]), {}),
    (ConfigError, "class numbers", (X, Y.float()), {}),
    (ConfigError, "class numbers", (X, Y - 1), {}),
    (ConfigError, "a label 5", (X, Y + 3), {}),
    (ShapeError, r"labels of shape \(7,\)", (X, Y[:7]), {}),
    (ShapeError, r"labels of shape \(8, 1\)", (X, Y[:, None]), {}),
    (ShapeError, r"outputs of shape \(8, 3\)", (X, Y), {"training": MSE}),
    (NotFiniteError, "NaN", (torch.full((8, 6), float("nan")), Y), {}),
    (ConfigError, "no classes", (X, torch.rand(8, 3)), {"training": MSE, "teacher": nn.Linear(6, 3)}),
]


@pytest.mark.parametrize(("kind", "text", "given", "options"), WRONG)
def test_wrong_calibration_sets_are_refused(kind, text, given, options):
    model = converted(nn.Sequential(nn.Linear(6, 3)), ideal(), chips=2)
    with pytest.raises(kind, match=text):
        adapt(model, *given, RandomSparse(0.5), **options)
    assert not adapted_layers(model)


def test_memories_that_a_model_has_are_kept_where_new_ones_cannot_be_trained():
    model = converted(nn.Sequential(nn.Linear(6, 3)), ideal(), chips=2)
    had = attach(model, RandomSparse(0.5))
    with pytest.raises(ConfigError, match="label 5"):
        adapt(model, X, Y + 3, RandomSparse(0.5))
    assert adapted_layers(model) == had


def test_a_model_without_memories_or_arrays_is_refused():
    model = converted(nn.Sequential(nn.Linear(6, 3)), ideal())
    with pytest.raises(ConfigError, match="has none; give"):
        adapt(model, X, Y)
    with pytest.raises(ConfigError, match="without analog layers"):
        adapt(nn.Sequential(nn.Linear(6, 3)), X, Y, RandomSparse())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"lr": 0.0}, "lr"),
        ({"lr": float("inf")}, "lr"),
        ({"optimizer": "rmsprop"}, "adam, sgd"),
        ({"schedule": "linear"}, "cosine, constant"),
        ({"temperature": -1.0}, "temperature"),
        ({"distillation": 1.2}, "distillation"),
    ],
)
def test_impossible_settings_are_refused(settings, text):
    with pytest.raises(ConfigError, match=text):
        Adaptation(**settings)


def test_a_balanced_set_has_as_many_of_every_class_and_grows_with_its_size():
    labels = load("digits").train_labels
    few, more = balanced(labels, 25, seed=4), balanced(labels, 200, seed=4)
    assert torch.equal(more, more.unique())
    assert np.bincount(labels[more]).tolist() == [20] * 10
    assert np.bincount(labels[few]).tolist() == [3] * 5 + [2] * 5
    assert set(few.tolist()) < set(more.tolist())
    assert balanced(labels, 25, seed=4).tolist() == few.tolist() != balanced(labels, 25, seed=5).tolist()
    with pytest.raises(ConfigError, match="10 classes"):
        balanced(labels, 9)
    with pytest.raises(ConfigError, match="ask for at most"):
        balanced(labels, 5000)
