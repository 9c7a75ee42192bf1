"""What a data set promises whatever it came from; the built-in digits; real MNIST where it is cached."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mho.data import Dataset, load
from mho.data.progress import Bar
from mho.errors import DataError
from mho.folders import cache_root

FETCH = Path(__file__).parents[2] / "scripts" / "fetch_test_data.py"


def small(**changes: object) -> Dataset:
    """Return a data set of three training images and one test image."""
    values: dict[str, object] = {
        "name": "small",
        "classes": ("a", "b"),
        "train_images": np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2),
        "train_labels": np.array([0, 1, 0]),
        "test_images": np.zeros((1, 1, 2, 2), dtype=np.uint8),
        "test_labels": np.array([1]),
    }
    return Dataset(**{**values, **changes})  # type: ignore[arg-type]


def test_the_digits_need_nothing_and_are_split_evenly(room: Path) -> None:
    digits = load("digits")
    assert digits.shape == (1, 8, 8)
    assert (len(digits.train_y), len(digits.test_y)) == (1438, 359)
    assert digits.test_y.bincount().tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    assert (digits.train_x.min().item(), digits.train_x.max().item()) == (0.0, 1.0)
    assert not (room / "cache").exists()
    # The sums that scikit-learn's copy has.
    assert int(digits.train_images.sum() + digits.test_images.sum()) == 561718


def test_the_digits_can_be_learned_by_their_nearest_neighbour() -> None:
    digits = load("digits")
    nearest = torch.cdist(digits.test_x.flatten(1), digits.train_x.flatten(1)).argmin(1)
    assert (digits.train_y[nearest] == digits.test_y).float().mean() > 0.97


def test_a_batch_has_the_bits_of_the_whole() -> None:
    digits = load("digits")
    index = torch.randperm(len(digits.train_y))[:50]
    x, y = digits.batch(index)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert torch.equal(x, digits.train_x[index])
    assert torch.equal(y, digits.train_y[index])
    x, y = digits.batch(slice(0, 7), split="test")
    assert torch.equal(x, digits.test_x[:7])
    assert torch.equal(y, digits.test_y[:7])


def test_floats_do_not_share_memory_with_the_bytes() -> None:
    dataset = small()
    dataset.train_x.zero_()
    dataset.train_y.zero_()
    assert dataset.train_images.sum() == 66
    assert dataset.train_labels.sum() == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train_labels": np.array([0, 1])}, "training split has 3 images and 2 labels"),
        ({"test_labels": np.array([2])}, "test split has label 2 .* from 0 to 1"),
        ({"test_labels": np.array([-1])}, "test split has label -1"),
        ({"test_images": np.zeros((1, 1, 2, 3), dtype=np.uint8)}, "one shape"),
        (
            {
                "test_images": np.zeros((0, 1, 2, 2), dtype=np.uint8),
                "test_labels": np.zeros(0, dtype=np.int64),
            },
            "test split is empty",
        ),
    ],
)
def test_splits_that_do_not_belong_together_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        small(**changes)


def test_importing_the_data_room_is_light() -> None:
    code = "import sys, mho.data; print([m for m in ('PIL', 'rich', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_a_bar_appears_only_when_wanted_and_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.data.progress.PATIENCE", -1.0)
    hidden, shown = Bar("x", total=3, show=False), Bar("x", total=3, show=True)
    hidden.advance()
    shown.advance(2)
    assert hidden._shown is None
    assert shown._shown is not None
    assert shown._shown[0].tasks[0].completed == 2
    shown.close()
    monkeypatch.setattr("mho.data.progress.PATIENCE", 60.0)
    early = Bar("x", total=3, show=True)
    early.advance()
    assert early._shown is None


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--optional"], 0)])
def test_the_fetch_script_without_network(room: Path, options: list[str], code: int) -> None:
    # An unreachable proxy keeps the real address away; the empty PATH keeps the clients away.
    import os

    environ = {**os.environ, "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, str(FETCH), *options], capture_output=True, text=True, timeout=120, env=environ
    )
    assert done.returncode == code
    assert "mnist: not fetched. MNIST was asked for, but no source has it" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("going on without" in done.stdout) == bool(options)


@pytest.mark.parametrize(
    ("name", "mean", "test_mean", "total"),
    [("mnist", 33.318421, 33.791224, 1567298545), ("fashion-mnist", 72.940352, 73.146567, None)],
)
def test_the_real_sets_have_the_published_figures(name: str, mean: float, test_mean: float, total: int | None) -> None:
    if not (cache_root() / name / "train-images-idx3-ubyte").exists():
        pytest.skip(f"{name} is not cached; run scripts/fetch_test_data.py --fashion-mnist")
    dataset = load(name)
    assert dataset.train_images.shape == (60000, 1, 28, 28)
    assert dataset.test_images.shape == (10000, 1, 28, 28)
    assert dataset.train_images.mean() == pytest.approx(mean, abs=1e-6)
    assert dataset.test_images.mean() == pytest.approx(test_mean, abs=1e-6)
    assert total is None or int(dataset.train_images.sum(dtype=np.int64)) == total
    if name == "mnist":
        assert np.bincount(dataset.train_labels).tolist() == [
            5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949
        ]  # fmt: skip


def test_the_first_images_are_taken_from_training_only() -> None:
    whole = load("digits")
    part = whole.first(100)
    assert np.array_equal(part.train_images, whole.train_images[:100])
    assert np.array_equal(part.train_labels, whole.train_labels[:100])
    assert len(part.test_labels) == len(whole.test_labels)
    assert whole.first(None) is whole
    assert whole.first(10**6) is whole


def test_the_first_images_of_both_splits() -> None:
    whole = load("digits")
    part = whole.first(100, 7)
    assert np.array_equal(part.test_images, whole.test_images[:7])
    assert np.array_equal(part.test_labels, whole.test_labels[:7])
    assert np.array_equal(part.train_labels, whole.train_labels[:100])
    assert len(whole.first(None, 7).train_labels) == len(whole.train_labels)
    assert whole.first(None, 10**6) is whole
