"""Networks, orders and what is shown of a run."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from mho.config import RunConfig
from mho.errors import ConfigError
from mho.folders import replacing
from mho.train.folder import new_folder
from mho.train.metrics import finite
from mho.train.networks import make_network
from mho.train.order import Order
from mho.train.progress import Lines, Silent, reporter
from mho.train.summary import versions


@pytest.mark.parametrize(
    ("name", "shape", "sizes"),
    [
        ("fcn", (1, 28, 28), [(256, 784), (128, 256), (10, 128)]),
        ("fcn", (1, 8, 8), [(256, 64), (128, 256), (10, 128)]),
        ("fcn", (3, 32, 32), [(256, 3072), (128, 256), (10, 128)]),
        ("fcn-250-125", (1, 24, 22), [(250, 528), (125, 250), (10, 125)]),
        ("lenet", (1, 28, 28), [(16, 1, 5, 5), (32, 16, 5, 5), (128, 512), (10, 128)]),
        ("lenet", (3, 32, 32), [(16, 3, 5, 5), (32, 16, 5, 5), (128, 800), (10, 128)]),
        ("lenet", (1, 16, 18), [(16, 1, 5, 5), (32, 16, 5, 5), (128, 32), (10, 128)]),
    ],
)
def test_networks_fit_the_data(name: str, shape: tuple[int, int, int], sizes: list[tuple[int, ...]]) -> None:
    network = make_network(name, shape, 10)
    assert [tuple(p.shape) for p in network.parameters() if p.dim() > 1] == sizes
    assert network(torch.rand(3, *shape)).shape == (3, 10)


def test_lenet_refuses_small_images() -> None:
    with pytest.raises(ConfigError, match=r"8x8.*at least 16x16"):
        make_network("lenet", (1, 8, 8), 10)


def test_initial_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = make_network("fcn", (1, 8, 8), 10, seed=3)
    before = torch.random.get_rng_state()
    again = make_network("fcn", (1, 8, 8), 10, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    other = make_network("fcn", (1, 8, 8), 10, seed=4)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "nets.py"
    path.write_text(
        "import torch\n"
        "def tiny(shape, classes):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))\n"
        "def wrong(shape, classes):\n    return 3\n"
        "def fails(shape, classes):\n    return torch.nn.Linear('a', 2)\n"
    )
    assert make_network(f"{path}:tiny", (1, 8, 8), 10)(torch.rand(2, 1, 8, 8)).shape == (2, 10)
    for name, says in (
        (f"{path}:wrong", "returned int"),
        (f"{path}:absent", "no function absent"),
        (f"{path}:tinny", "no function tinny.*did you mean 'tiny'"),
        (f"{path}:fails", r"\(1, 8, 8\) and 10 classes raised TypeError"),
        (f"{tmp_path}/no.py:f", "no Python file"),
        ("fnc", "did you mean 'fcn'"),
    ):
        with pytest.raises(ConfigError, match=says):
            make_network(name, (1, 8, 8), 10)
    path.write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        make_network(f"{path}:tiny", (1, 8, 8), 10)


def test_an_order_visits_every_sample_once_and_differs_by_epoch() -> None:
    order = Order(RunConfig(data="digits", batch_size=4), 50)
    epochs = [np.concatenate(list(order.blocks(e, 3)), axis=1) for e in (0, 1)]
    assert [b.shape for b in order.blocks(0, 3)] == [(1, 12)] * 4 + [(1, 2)]
    assert all(sorted(e[0]) == list(range(50)) for e in epochs)
    assert not np.array_equal(*epochs)
    assert order.steps == 13


def test_chips_share_the_order_unless_asked() -> None:
    config = RunConfig(data="digits", chips=(0, 5), vary=("order",))
    own = next(Order(config, 50).blocks(0, 5))
    alone = next(Order(config.with_(chips=(5,)), 50).blocks(0, 5))
    shared = next(Order(config.with_(vary=()), 50).blocks(0, 5))
    assert own.shape == (2, 50)
    assert not np.array_equal(own[0], own[1])
    assert np.array_equal(own[1], alone[0])
    assert np.array_equal(own[0], shared[0])


def test_new_folders_never_exist_yet(tmp_path: Path) -> None:
    config = RunConfig(data="digits")
    first = new_folder(config, tmp_path)
    assert first.name.startswith("fcn-digits-gokmen-2017-")
    first.mkdir()
    assert not new_folder(config, tmp_path).exists()


def test_json_has_no_nan() -> None:
    assert finite({"a": [1.0, float("nan")], "b": (float("inf"), "x")}) == {
        "a": [1.0, None],
        "b": [None, "x"],
    }


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(reporter(False)) is Silent
    shown = reporter(True)
    assert type(shown) is Lines
    shown.begin(epochs=3, steps=10, done=0)
    shown.update(5, 1.0, 50.0)
    shown.epoch({
        "epoch": 1, "train_loss": [0.5, None], "train_accuracy": [90.0, 80.0],
        "test_accuracy": [70.0, 71.0], "seconds": 2.0,
    })  # fmt: skip
    shown.close()
    assert capsys.readouterr().out == ("epoch 1/3  loss nan  accuracy 85.00 %  test accuracy 70.50 %  2.0 s\n")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    shown = reporter(True)
    shown.phase("placing")
    shown.begin(epochs=2, steps=100, done=0)
    shown.update(50, 0.25, 93.0)
    shown.progress.refresh()  # type: ignore[attr-defined]
    shown.close()
    out = capsys.readouterr().out
    for text in ("epoch 1/2", "loss 0.250", "accuracy  93.0 %", "left"):
        assert text in out


def test_versions_name_what_computes() -> None:
    assert versions()["torch"] == torch.__version__.split("+")[0] or "+" in versions()["torch"]


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    def fill() -> None:
        with replacing(tmp_path / "model") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")  # as write(2) raises it: without a name

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.filename == str(tmp_path / "model")
    assert not list(tmp_path.iterdir())
