"""What several ranks refuse, each with a reason on every rank."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import mho
from distributed import refused
from distributed.launching import torchrun
from mho.distributed import join
from mho.errors import ConfigError, ConversionError, RankError
from mho.nn.ranks import Ranks

SAID = {
    "other_seed": ("RankError", "the seed of layer 'model' is 0 on rank 0 and 1 on rank 1"),
    "other_settings": ("RankError", "the settings of layer 'model'"),
    "other_weights": ("RankError", "torch.manual_seed before the network is made"),
    "uneven": ("RankError", "4 on rank 0, 5 on rank 1"),
    "other_layers": ("RankError", "layer '1' has step 0 x and d [(1, 3), (1, 1, 2)] on rank 0 and nothing on rank 1"),
    "infinite": ("NotFiniteError", "layer '1', update: error d holds NaN or infinity"),
    "twice": ("ConfigError", "distributed already"),
    "instance_norm": ("ConversionError", "layer '1' (InstanceNorm1d) needs the whole batch"),
    "drifted": ("RankError", "0.bias is"),
    "no_ddp": ("RankError", "call the model through torch's DistributedDataParallel"),
    "apart": ("UserWarning", "call model = mho.distribute(model)"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Return what every rank was told, by case."""
    out = tmp_path_factory.mktemp("refused")
    done = torchrun(2, Path(refused.__file__), out)
    assert done.returncode == 0, done.stderr
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("case", SAID)
def test_every_rank_is_told_why(case: str, told: list[dict[str, str]]) -> None:
    kind, text = SAID[case]
    for one in told:
        assert one[case].startswith(f"{kind}: "), one
        assert text in one[case]
    if kind == "RankError":
        assert told[0][case] == told[1][case]


def test_all_cases_are_looked_at() -> None:
    assert set(SAID) == {case.__name__ for case in refused.CASES}


def test_in_one_process_nothing_changes() -> None:
    model = mho.convert_to_analog(nn.Linear(3, 2), mho.preset("ideal"))
    assert mho.distribute(model) is model
    assert model.ranks is None


def test_what_is_no_analog_model_or_loss_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"convert it first with mho\.convert_to_analog"):
        mho.distribute(nn.Linear(3, 2))
    with pytest.raises(ConfigError, match='loss is "mean" or "sum"'):
        mho.distribute(mho.convert_to_analog(nn.Linear(3, 2), mho.preset("ideal")), loss="max")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan"])
def test_a_patience_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MHO_RANK_TIMEOUT": text}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="MHO_RANK_TIMEOUT"):
        join()


def test_ranks_that_do_not_come_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "MHO_RANK_TIMEOUT": "1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RankError, match=r"did not meet at 127\.0\.0\.1:0 within 1 s"):
        join()


@pytest.mark.parametrize(("samples", "size"), [(12, 3), (7, 2), (2, 3), (1, 2)])
def test_parts_cover_a_batch_in_order(samples: int, size: int) -> None:
    seen: list[int] = []
    for rank in range(size):
        ranks = Ranks(rank, size)
        own = ranks.take(samples)
        assert ranks.first(5 * (own.stop - own.start)) == 5 * own.start or own.start == own.stop
        seen += range(samples)[own]
    assert seen == list(range(samples))


def test_a_copy_of_a_distributed_layer_knows_the_ranks_and_a_file_does_not(tmp_path: Path) -> None:
    from copy import deepcopy

    ranks = Ranks(0, 2)
    layer = mho.convert_to_analog(nn.Linear(3, 2), mho.preset("ideal"))
    layer.ranks = ranks
    assert deepcopy(layer).ranks is ranks
    torch.save(layer, tmp_path / "layer.pt")
    assert torch.load(tmp_path / "layer.pt", weights_only=False).ranks is None
