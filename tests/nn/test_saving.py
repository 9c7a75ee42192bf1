"""A model saved, copied or pickled in the middle of training goes on as if it had not been."""

import copy
import pickle

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

import mho
from mho import AnalogConfig, Cell, Mapping, Periphery
from mho.devices import Leak, SoftBounds
from mho.errors import NotFiniteError
from mho.optim import AnalogSGD

CONFIG = AnalogConfig(
    device=SoftBounds(write_noise=1.0, leak=Leak(1e4)),
    forward=Periphery(noise_management="running-max"),
    cell=Cell(devices=2, pulsed="turn"),
    mapping=Mapping(max_columns=8, scaling="tile", learn_scale=True),
    layers={"4": {"mapping.bias": "digital"}},
)


def make(chips=2, seed=0, config=CONFIG):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = nn.Sequential(
            nn.Conv2d(1, 2, 3),
            nn.Flatten(),
            nn.BatchNorm1d(18),
            nn.Dropout(0.3),
            nn.Linear(18, 3),
            nn.Linear(3, 3),
        )
    return mho.convert_to_analog(net, config, chips=chips, seed=seed, exclude=["5"])


def data(steps):
    generator = torch.Generator().manual_seed(9)
    for _ in range(steps):
        yield torch.randn(4, 1, 5, 5, generator=generator), torch.randint(3, (4,), generator=generator)


def train(model, batches, lr=0.02):
    opt = AnalogSGD(model.parameters(), lr=lr)
    n = len(model.chips)
    for x, y in batches:
        opt.zero_grad()
        mho.chip_loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"), model(mho.spread(x, n)), y).backward()
        opt.step()
    return model


def check_same(one, other):
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def through_state_dict(model, tmp_path):
    other = make()
    other.load_state_dict(model.state_dict())
    return other


def through_assign(model, tmp_path):
    other = make()
    other.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)
    return other


def through_torch_save(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = make()
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    return other


def through_safetensors(model, tmp_path):
    safetensors.torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    other = make()
    other.load_state_dict(safetensors.torch.load_file(tmp_path / "model.safetensors"))
    return other


def through_deepcopy(model, tmp_path):
    return copy.deepcopy(model)


def through_pickle(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize(
    "way",
    [
        through_state_dict,
        through_assign,
        through_torch_save,
        through_safetensors,
        through_deepcopy,
        through_pickle,
    ],
)
@pytest.mark.parametrize("rate", [0.02, [0.02, 0.01]], ids=["lr", "lr per chip"])
def test_training_goes_on_the_same(way, rate, tmp_path):
    batches = list(data(6))
    model = train(make(), batches[:3], rate)
    other = way(model, tmp_path)
    check_same(model, other)
    train(model, batches[3:], rate)
    untouched = copy.deepcopy(other.state_dict())
    assert any(not torch.equal(v, untouched[k]) for k, v in model.state_dict().items())  # they share no memory
    train(other, batches[3:], rate)
    check_same(model, other)
    held = [layer for layer in other.modules() if isinstance(layer, mho.AnalogLayer)]
    assert all(layer.pulses.layer is layer for layer in held)
    steps = [tile.steps for layer in held for tile in layer.analog_tiles()]
    assert set(steps) == {6}


def test_state_dict_holds_every_buffer_and_clock():
    model = train(make(), data(2))
    names = set(model.state_dict())
    for tile_name, tile in model.named_modules():
        if type(tile).__name__ == "Tile":
            assert f"{tile_name}.clock" in names
            assert {f"{tile_name}.{b}" for b, _ in tile.named_buffers()} <= names
            for b in ("state", "apparent", "counts", "totals", "keep", "combined", "cell_top"):
                assert f"{tile_name}.{b}" in names
    assert "3.calls" in names
    assert any("forward_running" in n for n in names)


def test_loading_wants_every_key_of_the_right_shape():
    model = make()
    held = model.state_dict()
    for change, message in (
        (
            lambda d: d.pop("0.grids.0.blocks.0.arrays.weight.tiles.0.state"),
            r"Missing key\(s\).*0.grids.0.blocks.0.arrays.weight.tiles.0.state",
        ),
        (
            lambda d: d.pop("0.grids.0.blocks.1.arrays.weight.tiles.0.clock"),
            r"Missing key\(s\).*0.grids.0.blocks.1.arrays.weight.tiles.0.clock",
        ),
        (lambda d: d.pop("3.calls"), r"Missing key\(s\).*3.calls"),
        (lambda d: d.update({"0.grids.0.stray": torch.zeros(1)}), r"Unexpected key\(s\).*0.grids.0.stray"),
        (lambda d: d.update({"4.bias": torch.zeros(3)}), r"size mismatch for 4.bias"),
    ):
        changed = dict(held)
        change(changed)
        with pytest.raises(RuntimeError, match=message):
            make().load_state_dict(changed)
    other = train(make(), data(1))
    missing, stray = other.load_state_dict({}, strict=False)
    assert "0.grids.0.blocks.0.arrays.weight.tiles.0.clock" in missing
    assert not stray


def test_loading_refuses_what_is_not_finite():
    model = make()
    held = {k: v.clone() for k, v in model.state_dict().items()}
    held["4.grids.0.blocks.0.arrays.weight.tiles.0.state"][0, 0, 0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match=r"4\.grids\.0\.blocks\.0\.arrays\.weight\.tiles\.0\.state holds NaN"):
        model.load_state_dict(held)
    assert model[4].get_weights()[0].isfinite().all()


def test_copies_in_the_middle_of_accumulation_hold_and_forget_what_was_kept():
    x, y = next(data(1))
    for way in (through_deepcopy, through_pickle):
        model = make()
        mho.chip_loss(F.cross_entropy, model(mho.spread(x, 2)), y).backward()
        other = way(model, None)
        assert len(other[4].pending) == 1
        for one in (model, other):
            AnalogSGD(one.parameters(), lr=0.02).step()
        for one, two in zip(model[4].analog_tiles(), other[4].analog_tiles(), strict=True):
            check_same(one, two)  # (torch itself does not copy the gradients of digital parameters)
            assert one.totals.min() > 0
        mho.chip_loss(F.cross_entropy, model(mho.spread(x, 2)), y).backward()
        other = way(model, None)
        other.zero_grad()
        assert not other[4].pending
        assert model[4].pending


def test_another_seed_is_another_run():
    assert not torch.equal(
        train(make(seed=0), data(2))[0].get_weights()[0], train(make(seed=1), data(2))[0].get_weights()[0]
    )


def test_evaluating_changes_nothing():
    """A run that is evaluated after every step ends as one that never is."""
    plain, watched = make(), make()
    for batch in data(3):
        train(plain, [batch])
        train(watched, [batch])
        watched.eval()
        with torch.no_grad():
            first, second = (watched(mho.spread(batch[0], 2)) for _ in range(2))
        assert not torch.equal(first, second)  # evaluation has noise, from draws of its own
        watched.train()
    one, other = plain.state_dict(), watched.state_dict()
    for name, value in one.items():
        if not name.endswith("clock"):
            assert torch.equal(value, other[name]), name


class Rows(torch.utils.data.Dataset):
    def __init__(self):
        self.items = [(x[0], y[0]) for x, y in data(8)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_dataloader_workers():
    """Batches from forked worker processes train as those loaded here."""
    results = []
    for workers in (0, 2):
        loader = torch.utils.data.DataLoader(Rows(), batch_size=4, num_workers=workers)
        results.append(train(make(), list(loader)))
    check_same(*results)


def test_assigned_tensors_take_the_layer_where_they_are():
    config = AnalogConfig(device=SoftBounds(), cell=Cell(pair="differential", minus=SoftBounds(dw_min=0.003)))
    model = mho.convert_to_analog(torch.nn.Linear(4, 3), config, seed=1)
    other = mho.convert_to_analog(torch.nn.Linear(4, 3), config, seed=1).to("meta")
    assert other.device.type == other.pulses.device.type == other.analog_arrays()[0].ratios[0].device.type == "meta"
    before = {key: value.clone() for key, value in model.state_dict().items()}
    other.load_state_dict({key: value.clone() for key, value in before.items()}, assign=True)
    assert other.device.type == other.pulses.device.type == "cpu"
    for made in (model, other):
        made(torch.ones(2, 4)).sum().backward()
        mho.optim.AnalogSGD(made.parameters(), lr=0.1).step()
    assert not torch.equal(other.state_dict()["grids.0.blocks.0.arrays.weight.shown"],
                           before["grids.0.blocks.0.arrays.weight.shown"])  # fmt: skip
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())
