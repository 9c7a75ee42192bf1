"""The training loop on a CUDA device that is not there: whatever would copy to the host in a step fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext

import pytest
import torch

from gpu.fake import CUDA, HostCopy, fake_cuda, to_fake
from mho.config import RunConfig
from mho.data import Dataset, load
from mho.nn.layer import analog_layers
from mho.train import loop, memory, tally, where
from mho.train.batches import Batches
from mho.train.loop import Trainer, _score
from train.runs import small


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def _gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the first model that is moved find the device that is not there: before, numbers are real ones."""
    monkeypatch.setattr(where, "check_gpu", lambda asked: CUDA)
    monkeypatch.setattr(loop, "free_bytes", lambda device: 2**40)
    monkeypatch.setattr(memory, "check_memory", lambda *_, **__: None)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "as it was")
    with ExitStack() as held:

        def move(model: torch.nn.Module, device: torch.device | str) -> torch.nn.Module:
            if device != CUDA:
                return model
            held.enter_context(fake_cuda(monkeypatch))
            return to_fake(model)

        monkeypatch.setattr(torch.nn.Module, "to", move)
        yield


def on_gpu(config: RunConfig, data: Dataset) -> Trainer:
    return Trainer(config.with_(compute_device="cuda", cuda_graphs=False, precision="bf16"), data)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"chips": 3},
        {"chips": 2, "vary": ["init", "order"], "lr": [0.01, 0.02]},
        {"rule": "ttv2"},
        {"cell.pair": "differential", "update.trains": "ideal"},
    ],
)
@pytest.mark.usefixtures("_gpu")
def test_a_block_of_steps_copies_nothing_to_the_host(changes: dict[str, object], digits: Dataset) -> None:
    trainer = on_gpu(small().with_(changes), digits)
    errors = tally.Errors(trainer.model)
    rows = trainer.batches.rows(next(trainer.order.blocks(0, 3)))
    trainer.model.train()
    loss, hits = trainer._block(rows, errors, 2)
    assert loss.device == hits.device == CUDA
    assert loss.shape == hits.shape == (trainer.chips,)
    assert trainer.step == 3
    assert len(errors.waiting) == len(analog_layers(trainer.model))
    with pytest.raises(HostCopy):
        errors.quantiles()


@pytest.mark.usefixtures("_gpu")
def test_a_test_copies_its_results_alone(digits: Dataset) -> None:
    trainer = on_gpu(small(chips=2), digits)
    with pytest.raises(Exception, match=r"tolist|item|local_scalar|HostCopy"):
        trainer.evaluate()


@pytest.mark.parametrize("whole", [True, False])
def test_batches_are_on_the_device(monkeypatch: pytest.MonkeyPatch, digits: Dataset, whole: bool) -> None:
    with fake_cuda(monkeypatch):
        batches = Batches(digits, CUDA, whole=whole)
        x, y = batches.batch(slice(3, 8), split="test")
        if whole:
            assert {t.device for pair in batches.kept.values() for t in pair} == {CUDA}
            assert batches.kept["train"][0].dtype == torch.uint8
    assert (x.device, y.device) == (CUDA, CUDA)
    assert (x.shape, x.dtype, y.dtype) == ((5, 1, 8, 8), torch.float32, torch.int64)


def test_bytes_turned_to_floats_there_have_the_bits_of_the_cpu(digits: Dataset) -> None:
    """The same operations, on the CPU."""
    batches = Batches(digits, torch.device("cpu"))
    batches.scale = torch.full((), float(digits.scale))
    batches.kept = {"train": (torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels))}
    rows = torch.tensor([5, 900, 17])
    for ours, theirs in zip(batches.batch(rows), digits.batch(rows.numpy()), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_the_score_of_a_gpu_takes_the_loss_of_one_dimension(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cuda(monkeypatch):
        loss, hits = _score(torch.empty(3, 5, 10, device=CUDA), torch.empty(1, 5, dtype=torch.int64, device=CUDA))
    assert loss.shape == hits.shape == (3,)


def test_precision_reaches_every_product(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    model = Trainer(small(backend="gpu", precision="bf16"), digits).model
    grids = [grid for layer in analog_layers(model) for grid in layer.grid_list]
    products = [p for grid in grids for p in (*grid.forward_products, *grid.backward_products)]
    assert {(p.backend, p.precision) for p in products} == {("gpu", "bf16")}
