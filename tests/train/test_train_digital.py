"""Plain torch models: trained, stopped at any moment, and gone on with to the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mho.config.run import LrSchedule
from mho.data import Dataset, load
from mho.errors import CheckpointError, ConfigError, NotFiniteError
from mho.random import make_key, permutation
from mho.train.digital import Feed, cosine, evaluate, fit
from train.runs import bytes_of, environment, lines, wait_for_epoch, without_times

SCRIPT = """
import sys, torch
from train.test_train_digital import network, small
from mho.train.digital import Feed, cosine, fit
torch.set_num_threads(1)
model = network()
optimizer = {"sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), "adam": lambda p: torch.optim.Adam(p)}
fit(model, small(), epochs=3, optimizer=optimizer[sys.argv[2]](model.parameters()), schedule=cosine(3),
    feed=Feed(batch_size=1, augment="flip-crop"), out=sys.argv[1], progress=False)
"""


def small() -> Dataset:
    return load("digits").first(300)


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(144, 10)
    )


def sgd(model: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


@pytest.fixture(autouse=True)
def _one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def command(folder: Path, optimizer: str) -> list[str]:
    return [sys.executable, "-c", SCRIPT, str(folder), optimizer]


def surroundings() -> dict[str, str]:
    env = environment()
    return {**env, "PYTHONPATH": str(Path(__file__).parents[1]) + ":" + env["PYTHONPATH"]}


@pytest.mark.parametrize("optimizer", ["sgd", pytest.param("adam", marks=pytest.mark.slow)])
def test_killed_in_an_epoch_and_begun_again_gives_the_same_bytes(tmp_path: Path, optimizer: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole, optimizer), check=True, env=surroundings())
    process = subprocess.Popen(command(killed, optimizer), env=surroundings(), text=True)
    wait_for_epoch(killed, 1, process)
    time.sleep(0.03)
    process.kill()
    process.communicate()
    assert len(lines(killed)) < 3
    (killed / "checkpoint" / ".model.safetensors.12.part").write_bytes(b"half")
    subprocess.run(command(killed, optimizer), check=True, env=surroundings())
    assert bytes_of(killed) == bytes_of(whole)
    assert without_times(killed) == without_times(whole)


def test_it_learns_and_says_how_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = network(), load("digits")
    done = fit(model, data, epochs=3, optimizer=sgd(model, 0.02), out=tmp_path / "run", progress="plain")
    assert done.test_accuracy > 85
    assert done.metrics == lines(tmp_path / "run")
    assert evaluate(model, data)[1] == done.test_accuracy
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3
    assert f"test accuracy {done.test_accuracy:.2f} %" in said[-1]


def test_one_step_is_torchs_own(tmp_path: Path) -> None:
    """An epoch of one batch of all samples equals a step written out."""
    data = load("digits").first(40)
    a = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    b = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    b.load_state_dict(a.state_dict())
    fit(a, data, epochs=1, optimizer=sgd(a), feed=Feed(batch_size=40), progress=False)
    optimizer = sgd(b)
    order = permutation(40, make_key(0, 0, "data", "order"), 0)
    x, y = data.batch(order)
    nn.functional.cross_entropy(b(x), y).backward()
    optimizer.step()
    assert torch.equal(a[1].weight, b[1].weight)


def test_a_finished_run_is_only_read(tmp_path: Path) -> None:
    first, second = network(), network()
    one = fit(first, small(), epochs=1, optimizer=sgd(first), out=tmp_path, progress=False)
    times = [p.stat().st_mtime_ns for p in (tmp_path / "checkpoint").iterdir()]
    two = fit(second, small(), epochs=1, optimizer=sgd(second), out=tmp_path, progress=False)
    assert torch.equal(first[5].weight, second[5].weight)
    assert two.test_accuracy == one.test_accuracy
    assert times == [p.stat().st_mtime_ns for p in (tmp_path / "checkpoint").iterdir()]


def test_the_line_that_a_kill_prevented_is_made_again(tmp_path: Path) -> None:
    model = network()
    fit(model, small(), epochs=2, optimizer=sgd(model), out=tmp_path, progress=False)
    before, text = lines(tmp_path), (tmp_path / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "metrics.jsonl").write_text(text[0] + "\n")
    model = network()
    fit(model, small(), epochs=2, optimizer=sgd(model), out=tmp_path, progress=False)
    assert lines(tmp_path) == [before[0], {**before[1], "seconds": 0.0}]


def test_schedules_multiply_the_rate_and_leave_the_optimizer_as_it_was() -> None:
    model = network()
    optimizer = sgd(model, 0.2)
    step = LrSchedule((1,), 0.1).at
    done = fit(model, small(), epochs=2, optimizer=optimizer, schedule=step, progress=False)
    assert [line["lr"] for line in done.metrics] == pytest.approx([0.2, 0.02])
    assert optimizer.param_groups[0]["lr"] == 0.2
    assert [cosine(4)(e) for e in range(4)] == pytest.approx([1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5])
    assert [cosine(4, warmup=2)(e) for e in range(4)] == pytest.approx([1 / 3, 2 / 3, 1, 0.5])


def test_a_layer_that_evaluates_in_a_model_that_trains_is_left_so() -> None:
    model = network().train()
    model[4].eval()
    evaluate(model, small())
    assert [m.training for m in (model, model[3], model[4])] == [True, True, False]


def test_torchs_generator_is_left_alone_and_the_seed_decides() -> None:
    model, other = network(), network()
    torch.manual_seed(1)
    fit(model, small(), epochs=1, optimizer=sgd(model), progress=False)
    drawn = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(3))
    fit(other, small(), epochs=1, optimizer=sgd(other), feed=Feed(seed=1), progress=False)
    assert not torch.equal(model[5].weight, other[5].weight)


def test_flip_crop_shifts_and_mirrors() -> None:
    """Of a picture with one bright pixel, this pixel is found where the largest shift allows, on both sides."""
    images = np.zeros((400, 1, 16, 16), np.uint8)
    images[:, 0, 6, 5] = 255
    data = Dataset("dots", ("a",), images, np.zeros(400, np.int64), images[:1], np.zeros(1, np.int64))
    (x, _), *_ = Feed(batch_size=400, augment="flip-crop").batches(data, 0)
    at = x.view(400, 256).argmax(1)
    assert torch.equal(x.sum((1, 2, 3)), torch.ones(400))
    assert set((at // 16).tolist()) == set(range(2, 11))
    assert set((at % 16).tolist()) == set(range(1, 10)) | set(range(6, 15))
    (again, _), *_ = Feed(batch_size=400, augment="flip-crop").batches(data, 0)
    (later, _), *_ = Feed(batch_size=400, augment="flip-crop").batches(data, 1)
    assert torch.equal(x, again)
    assert not torch.equal(x, later)


def test_a_loss_may_need_the_inputs() -> None:
    class Doubled:
        def with_inputs(self, x: torch.Tensor, out: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            assert x.shape[1:] == (1, 8, 8)
            return 2 * nn.functional.cross_entropy(out, labels)

    one, two = network(), network()
    fit(one, small(), epochs=1, optimizer=sgd(one, 0.02), loss=Doubled(), progress=False)
    fit(two, small(), epochs=1, optimizer=sgd(two, 0.04), progress=False)
    torch.testing.assert_close(one[5].weight, two[5].weight)


def test_another_run_in_the_directory_is_refused(tmp_path: Path) -> None:
    model = network()
    fit(model, small(), epochs=1, optimizer=sgd(model), out=tmp_path, progress=False)
    with pytest.raises(ConfigError, match=r"other settings \(optimizer: .*0\.1.*there.*0\.3.*now\)"):
        fit(model, small(), epochs=2, optimizer=sgd(model, 0.3), out=tmp_path, progress=False)
    with pytest.raises(ConfigError, match="data: "):
        fit(model, small().first(200), epochs=2, optimizer=sgd(model), out=tmp_path, progress=False)
    with pytest.raises(ConfigError, match="resume=False begins a new one"):
        fit(model, small(), epochs=2, optimizer=sgd(model), out=tmp_path, resume=False, progress=False)
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(CheckpointError, match="Give the model that it was trained with"):
        fit(other, small(), epochs=2, optimizer=sgd(other), out=tmp_path, progress=False)
    fit(model, small(), epochs=2, optimizer=sgd(model), out=tmp_path, progress=False)
    with pytest.raises(ConfigError, match="has done 2 epochs"):
        fit(model, small(), epochs=1, optimizer=sgd(model), out=tmp_path, progress=False)
    path = tmp_path / "checkpoint" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match=r"is damaged.*or delete .* to begin again"):
        fit(model, small(), epochs=2, optimizer=sgd(model), out=tmp_path, progress=False)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    model = network()
    with pytest.raises(NotFiniteError, match=r"in epoch 1, by step \d+; a smaller learning rate than 1e\+30"):
        fit(model, small(), epochs=1, optimizer=sgd(model, 1e30), out=tmp_path, progress=False)


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    done = sgd(model)
    done.state[model[1].weight]["history"] = [1]
    with pytest.raises(CheckpointError, match="SGD keeps history as list"):
        fit(model, small(), epochs=1, optimizer=done, out=tmp_path, progress=False)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"augment": "none-such"}])
def test_impossible_feeds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(Feed(), **wrong)  # type: ignore[arg-type]


def test_state_json_tells_where_the_run_is(tmp_path: Path) -> None:
    model = network()
    fit(model, small(), epochs=1, optimizer=sgd(model), feed=Feed(batch_size=100), out=tmp_path, progress=False)
    state = json.loads((tmp_path / "checkpoint" / "state.json").read_text())
    assert (state["epoch"], state["step"]) == (1, 3)


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.01)


@pytest.mark.parametrize("make", [sgd, adam])
def test_epochs_in_two_calls_are_those_of_one(tmp_path: Path, make: object) -> None:
    for folder, parts in (("whole", (3,)), ("parts", (1, 3))):
        for epochs in parts:
            model = network()
            fit(model, small(), epochs=epochs, optimizer=make(model), out=tmp_path / folder, progress=False)  # type: ignore[operator]
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "whole")


def test_every_epoch_has_an_order_and_torch_draws_of_its_own(tmp_path: Path) -> None:
    drawn, first = [], []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if module.training:
            drawn.append(float(torch.rand(1)))
            first.append(inputs[0].sum().item())

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    model.register_forward_pre_hook(look)
    fit(model, small(), epochs=2, optimizer=sgd(model), feed=Feed(batch_size=150), progress=False)
    assert len(set(drawn)) == 4
    assert len(set(first)) == 4
