"""Conversion to analog and back: what is converted, what is refused, and what is left as it was."""

import copy

import pytest
import torch
from torch import nn

import mho
from mho import AnalogConfig, Mapping, Periphery
from mho.errors import ConfigError, ConversionError
from mho.nn import AnalogConv2d, AnalogLinear, ChipDropout, PerChip
from mho.optim import AnalogSGD
from nn.networks import close, ideal


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.inner = nn.ModuleDict({"a": nn.Linear(size, size), "b": nn.Sequential(nn.Tanh(), nn.Linear(size, size))})

    def forward(self, x):
        return x + self.inner["b"](self.inner["a"](x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.block = Block(12)
        self.again = self.block
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        x = self.norm(self.conv(x)).flatten(1)
        return self.head(self.drop(self.again(self.block(x))))


class MyLinear(nn.Linear):
    def forward(self, x):
        return super().forward(x) * 2


def test_nested_and_shared_modules():
    net = Net()
    model = mho.convert_to_analog(net, ideal())
    assert isinstance(model.conv, AnalogConv2d)
    assert isinstance(model.block.inner["b"][1], AnalogLinear)
    assert model.again is model.block
    assert isinstance(model.drop, ChipDropout)
    assert type(model.norm) is nn.BatchNorm2d
    names = {m.name for m in model.modules() if isinstance(m, mho.AnalogLayer)}
    assert names == {"conv", "block.inner.a", "block.inner.b.1", "head"}
    assert type(net.head) is nn.Linear  # the network given is untouched
    x = torch.randn(4, 1, 4, 4)
    close(model.eval()(x), net.eval()(x))


def test_a_layer_used_twice_is_one_layer_and_takes_both_updates():
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, nn.Tanh(), layer)
    model = mho.convert_to_analog(net, ideal())
    assert model[0] is model[2]
    x = torch.randn(4, 3)
    model(x).sum().backward()
    net(x).sum().backward()
    assert len(model[0].pending) == 2
    AnalogSGD(model.parameters(), lr=0.1).step()
    close(model[0].weight, layer.weight - 0.1 * layer.weight.grad)
    assert mho.summary(model).rows[0][0] == "0"
    assert len(mho.summary(model).rows) == 1


def test_tied_parameters_are_refused_unless_excluded():
    net = nn.ModuleDict({"embed": nn.Embedding(5, 4), "out": nn.Linear(4, 5, bias=False)})
    net["out"].weight = net["embed"].weight
    with pytest.raises(ConversionError, match=r"embed.weight and out.weight are one parameter.*Exclude both"):
        mho.convert_to_analog(net, ideal())
    model = mho.convert_to_analog(net, ideal(), exclude=["embed", "out"])
    assert model["out"].weight is model["embed"].weight


def test_exclude_keeps_layers_digital():
    model = mho.convert_to_analog(Net(), ideal(), exclude=["head", "block.inner.b.*"])
    assert type(model.head) is nn.Linear
    assert type(model.block.inner["b"][1]) is nn.Linear
    assert isinstance(model.block.inner["a"], AnalogLinear)
    assert ("head", "Linear", "Linear", "excluded") in mho.summary(model).rows


def test_excluding_a_module_keeps_all_that_is_in_it_digital():
    model = mho.convert_to_analog(Net(), ideal(), exclude=["block"])
    assert type(model.block.inner["a"]) is nn.Linear
    assert isinstance(model.head, AnalogLinear)


def test_an_exclude_pattern_that_matches_nothing_names_the_nearest():
    with pytest.raises(ConfigError, match=r"exclude pattern 'haed' matches no layer; did you mean 'head'"):
        mho.convert_to_analog(Net(), ideal(), exclude=["haed"])


def test_layers_may_have_settings_of_their_own():
    config = AnalogConfig(layers={"block.*": {"cell.devices": 3}, "head": {"forward": {"adc_bits": 5}}})
    model = mho.convert_to_analog(Net(), config)
    assert model.block.inner["a"].config.cell.devices == 3
    assert model.block.inner["a"].analog_tiles()[0].state.shape[1] == 3
    assert model.conv.config.cell.devices == 1
    assert model.head.config.forward.adc_bits == 5
    assert model.conv.config.forward.adc_bits == 9


def test_summary_tells_what_became_of_every_layer():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.1), MyLinear(3, 3), nn.Linear(3, 2))
    with torch.no_grad():
        net[0].weight[0, 0] = 5.0
    config = AnalogConfig(mapping=Mapping(max_columns=2))
    model = mho.convert_to_analog(net, config, exclude=["4"])
    rows = {r[0]: r[1:] for r in mho.summary(model).rows}
    assert set(rows) == {"0", "1", "2", "3", "4"}
    assert rows["0"][:2] == ("Linear", "AnalogLinear")
    assert rows["0"][2].startswith("3 tile(s), ")
    assert "% of the weights clipped" in rows["0"][2]
    assert rows["3"] == ("MyLinear", "MyLinear", "digital: a subclass of Linear, whose forward may differ")
    assert rows["4"][2] == "excluded"
    text = str(mho.summary(model)).splitlines()
    assert text[0].split() == ["layer", "was", "is", "why"]
    assert len(text) == 7
    with pytest.raises(ConversionError, match=r"was not returned by mho.convert_to_analog"):
        mho.summary(net)


def test_inplace_changes_the_model_given():
    net = Net()
    x = torch.randn(2, 1, 4, 4)
    expected = net.eval()(x)
    assert mho.convert_to_analog(net, ideal(), inplace=True) is net
    assert isinstance(net.head, AnalogLinear)
    close(net(x), expected)
    alone = nn.Linear(3, 2)
    assert isinstance(mho.convert_to_analog(alone, ideal(), inplace=True), AnalogLinear)  # cannot become another class


def test_a_model_is_not_changed_by_an_error():
    net = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 3))
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(ConversionError):
        mho.convert_to_analog(net, ideal(), chips=2, inplace=True)
    assert type(net[0]) is nn.Linear
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.gain * self.layer(x)


@pytest.mark.parametrize("module", [nn.LSTM(3, 3), Scaled(), nn.GRUCell(3, 3)], ids=lambda m: type(m).__name__)
def test_what_cannot_be_copied_per_chip_is_refused_by_name(module):
    net = nn.Sequential(nn.Linear(3, 3), module)
    with pytest.raises(ConversionError, match=rf"1 \({type(module).__name__}\) holds parameters.*use chips=1"):
        mho.convert_to_analog(net, ideal(), chips=2)
    assert mho.convert_to_analog(net, ideal()) is not None


def test_digital_layers_are_copied_per_chip():
    model = mho.convert_to_analog(Net(), ideal(), chips=3, exclude=["head"])
    for layer in (model.norm, model.head):
        assert isinstance(layer, PerChip)
        assert len(layer.copies) == 3
    assert ("head", "Linear", "3 copies", "excluded") in mho.summary(model).rows


def test_round_trip_keeps_weights_exactly():
    net = nn.Sequential(
        nn.Conv1d(2, 4, 3, groups=2, padding="same", padding_mode="circular"), nn.Dropout1d(0.3),
        nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(20, 7), nn.Dropout(0.1), nn.Linear(7, 2, bias=False),
    )  # fmt: skip
    for chips in (1, 3):
        model = mho.convert_to_analog(
            net, AnalogConfig(device=ideal().device, mapping=Mapping(max_columns=5)), chips=chips
        )
        back = mho.convert_to_digital(model, chip=chips - 1)
        assert [type(m) for m in back.modules()] == [type(m) for m in net.modules()]
        assert repr(back) == repr(net)
        for name, value in net.state_dict().items():
            assert torch.equal(back.state_dict()[name], value), name
        assert not any(hasattr(p, "chip_index") for p in back.parameters())


def test_round_trip_keeps_train_and_eval_of_every_module():
    net = Net()
    net.norm.eval()
    net.drop.eval()
    for chips in (1, 2):
        model = mho.convert_to_analog(net, ideal(), chips=chips)
        assert not model.drop.training
        back = mho.convert_to_digital(model, chip=0)
        assert [m.training for m in back.modules()] == [m.training for m in net.modules()]


def test_to_digital_wants_a_chip():
    model = mho.convert_to_analog(nn.Linear(3, 2), ideal(), chips=2)
    with pytest.raises(ConversionError, match="holds 2 chips; choose one"):
        mho.convert_to_digital(model)
    with pytest.raises(ConversionError, match="chip 2 is not one of the 2 chips"):
        mho.convert_to_digital(model, chip=2)


def test_trained_weights_are_scaled_into_the_bounds():
    net = nn.Linear(6, 4)
    with torch.no_grad():
        net.weight.mul_(10)
    device = mho.devices.SoftBounds(w_max=0.6, w_min=-0.6)
    config = AnalogConfig(device=device, forward=Periphery(ideal=True))
    assert max(mho.convert_to_analog(net, config).clipped) > 0.3
    model = mho.convert_to_analog(net, config, trained=True)
    assert max(model.clipped) == 0
    close(model.weight, net.weight)
    conductance = torch.stack([t.visible.abs().amax() for t in model.analog_tiles()])
    close(conductance, torch.full_like(conductance, 0.6))


def test_weights_of_chips_are_drawn_without_asking_for_gpus(monkeypatch):
    def asked(seed):
        raise AssertionError("torch.manual_seed formats the stack each time, which a thousand chips cannot afford")

    expected = mho.convert_to_analog(nn.Linear(4, 3), ideal(), chips=3, vary=("init",)).state_dict()
    monkeypatch.setattr(torch, "manual_seed", asked)
    found = mho.convert_to_analog(nn.Linear(4, 3), ideal(), chips=3, vary=("init",)).state_dict()
    for name, value in expected.items():
        assert torch.equal(value, found[name])


def test_vary_init_gives_every_chip_its_own_weights():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model = mho.convert_to_analog(net, ideal(), chips=3, vary=("init",), exclude=["2"])
    weights = model[0].get_weights()[0]
    heads = torch.stack([c.weight for c in model[2].copies])
    for w in (weights, heads):
        assert not any(torch.equal(w[i], w[j]) for i in range(3) for j in range(i))
    alone = mho.convert_to_analog(net, ideal(), chips=[2], vary=("init",), exclude=["2"])
    assert torch.equal(alone[0].weight, weights[2])
    other = mho.convert_to_analog(net, ideal(), chips=3, vary=("init",), seed=1)
    assert not torch.equal(other[0].get_weights()[0], weights)
    same = mho.convert_to_analog(net, ideal(), chips=3).get_submodule("0").get_weights()[0]
    assert torch.equal(same[0], same[2])
    with pytest.raises(ConfigError, match="vary takes 'init' and 'order'"):
        mho.convert_to_analog(net, ideal(), vary=("weights",))


def test_converting_draws_nothing_from_torchs_generator():
    net = Net()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    mho.convert_to_analog(net, AnalogConfig(), chips=2, vary=("init",))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("chips", [0, [], [1, 1], [-1]])
def test_impossible_chips(chips):
    with pytest.raises(ConfigError, match="chips=4 makes chips 0 to 3"):
        mho.convert_to_analog(nn.Linear(2, 2), ideal(), chips=chips)
