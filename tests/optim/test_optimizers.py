"""Optimizers: pulses beside any torch optimizer, and nothing moved when one layer is bad."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import mho
from mho import AnalogConfig, Cell, Mapping, Periphery, Update
from mho.devices import ConstantStep
from mho.errors import ConfigError, NotFiniteError
from mho.optim import AnalogOptimizer, AnalogSGD

EXACT = AnalogConfig(
    device=ConstantStep(w_max=50.0, w_min=-50.0), forward=Periphery(ideal=True),
    update=Update(trains="ideal"), mapping=Mapping(bias="digital"),
)  # fmt: skip


class Spoil(torch.autograd.Function):
    """Passes values on; its gradient is NaN where `bad`."""

    @staticmethod
    def forward(ctx, x, bad):
        ctx.bad = bad
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return (grad * torch.nan if ctx.bad else grad), None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 3)
        self.bad = None

    def forward(self, x):
        x = Spoil.apply(self.first(x), self.bad == "first")
        x = Spoil.apply(torch.tanh(self.second(x)), self.bad == "second")
        return self.head(x)


def digital_loss(model, x, y):
    return F.cross_entropy(model(x), y, reduction="sum")


def data(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(8, 6, generator=generator), torch.randint(3, (8,), generator=generator)


def snapshot(model):
    return copy.deepcopy(model.state_dict())


def changed(model, before):
    return {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}


def conductances(names):
    return {n for n in names if n.endswith(("state", "apparent", "combined"))}


def check_equal_networks(model, plain, tolerance=1e-4):
    back = mho.convert_to_digital(model)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, rtol=tolerance, atol=tolerance)


def test_sgd_trains_as_torchs():
    """20 steps with a digital bias and an excluded layer; the loss of both runs agrees to rounding."""
    plain = Net()
    model = mho.convert_to_analog(plain, EXACT, exclude=["head"])
    ours, theirs = AnalogSGD(model.parameters(), lr=0.02), torch.optim.SGD(plain.parameters(), lr=0.02)
    for step in range(20):
        for net, opt in ((model, ours), (plain, theirs)):
            opt.zero_grad()
            digital_loss(net, *data(step)).backward()
            opt.step()
    check_equal_networks(model, plain)


def test_adam_drives_the_digital_parameters():
    """Adam moves biases and the excluded layer, pulses the rest at the group's learning rate."""
    plain = Net()
    model = mho.convert_to_analog(plain, EXACT, exclude=["head"])
    ours = AnalogOptimizer(torch.optim.Adam, model.parameters(), lr=0.02, betas=(0.8, 0.99))
    analog = [plain.first.weight, plain.second.weight]
    rest = [plain.first.bias, plain.second.bias, *plain.head.parameters()]
    theirs = [torch.optim.SGD(analog, lr=0.02), torch.optim.Adam(rest, lr=0.02, betas=(0.8, 0.99))]
    for step in range(10):
        ours.zero_grad()
        digital_loss(model, *data(step)).backward()
        ours.step()
        plain.zero_grad()
        digital_loss(plain, *data(step)).backward()
        for opt in theirs:
            opt.step()
    check_equal_networks(model, plain)


def test_groups_have_their_own_rates():
    plain = Net()
    model = mho.convert_to_analog(plain, EXACT)
    rates = {"first": 0.05, "second": 0.0, "head": 0.01}
    ours = AnalogSGD([{"params": getattr(model, n).parameters(), "lr": r} for n, r in rates.items()])
    theirs = torch.optim.SGD([{"params": getattr(plain, n).parameters(), "lr": r} for n, r in rates.items()])
    for net, opt in ((model, ours), (plain, theirs)):
        digital_loss(net, *data()).backward()
        opt.step()
    check_equal_networks(model, plain)
    assert torch.equal(mho.convert_to_digital(model).second.weight, plain.second.weight)


@pytest.mark.parametrize("digital", [torch.optim.SGD, torch.optim.Adam])
def test_schedulers_change_the_rate_of_pulses_and_digital_parameters(digital):
    plain = Net()
    model = mho.convert_to_analog(plain, EXACT)
    ours = AnalogOptimizer(digital, model.parameters(), lr=0.04)
    scheduler = torch.optim.lr_scheduler.StepLR(ours, 1, gamma=0.5)
    weights = model.first.weight.clone()
    moves, biases = [], []
    for _ in range(3):
        before, bias = model.first.weight.clone(), model.first.bias.detach().clone()
        model.first.set_weights(weights, bias)
        before = model.first.weight.clone()
        x, _ = data()
        ours.zero_grad()
        (model.first(x) * torch.ones(8, 5)).sum().backward()
        ours.step()
        moves.append((model.first.weight - before).abs().mean())
        biases.append((model.first.bias.detach() - bias).abs().mean())
        scheduler.step()
    assert moves[1] / moves[0] == pytest.approx(0.5, rel=1e-3)
    assert moves[2] / moves[0] == pytest.approx(0.25, rel=1e-3)
    assert biases[2] / biases[0] == pytest.approx(0.25, rel=1e-3)
    assert ours.param_groups[0]["lr"] == pytest.approx(0.005)


def test_one_cycle_also_moves_the_momentum_of_the_inner_optimizer():
    model = mho.convert_to_analog(Net(), EXACT)
    opt = AnalogOptimizer(torch.optim.SGD, model.parameters(), lr=0.01, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=10)
    for step in range(4):
        opt.zero_grad()
        digital_loss(model, *data(step)).backward()
        opt.step()
        assert opt.digital.param_groups[0]["momentum"] == opt.param_groups[0]["momentum"]
        scheduler.step()
    assert opt.param_groups[0]["momentum"] < 0.94


def test_a_rate_that_changes_every_step_fills_no_memory():
    model = mho.convert_to_analog(Net(), EXACT)
    opt = AnalogSGD(model.parameters(), lr=0.1)
    for step in range(200):
        opt.param_groups[0]["lr"] = 0.1 / (1 + step)
        opt.zero_grad()
        digital_loss(model, *data()).backward()
        opt.step()
    assert len(model.first.grids[0].block_list[0].gains.held) <= 64


def test_a_rate_in_a_tensor_is_read_anew():
    model = mho.convert_to_analog(Net(), EXACT)
    rate = torch.tensor(0.1)
    opt = AnalogSGD(model.parameters(), lr=rate)
    moves = []
    for value in (0.1, 0.0):
        rate.fill_(value)
        before = model.first.weight.clone()
        opt.zero_grad()
        digital_loss(model, *data()).backward()
        opt.step()
        moves.append(float((model.first.weight - before).abs().max()))
    assert moves[0] > 1e-3
    assert moves[1] == 0


def test_closure():
    model = mho.convert_to_analog(Net(), EXACT)
    opt = AnalogSGD(model.parameters(), lr=0.05)
    losses = []

    def closure():
        opt.zero_grad()
        loss = digital_loss(model, *data())
        loss.backward()
        losses.append(loss.item())
        return loss

    returned = [opt.step(closure).item() for _ in range(5)]
    assert returned == losses
    assert losses[-1] < losses[0]


def test_a_step_without_backward_moves_nothing():
    model = mho.convert_to_analog(Net(), AnalogConfig())
    opt = AnalogSGD(model.parameters(), lr=0.1)
    before = snapshot(model)
    opt.step()
    assert not changed(model, before)
    digital_loss(model, *data()).backward()
    opt.step()
    moved = snapshot(model)
    assert conductances(changed(model, before))
    opt.step()  # pulses were applied; they are not applied again
    assert not changed(model, moved)


@pytest.mark.parametrize("forget", ["optimizer", "optimizer to zero", "model"])
def test_zero_grad_forgets_what_backward_kept(forget):
    model = mho.convert_to_analog(Net(), AnalogConfig())
    opt = AnalogSGD(model.parameters(), lr=0.1)
    digital_loss(model, *data()).backward()
    assert all(len(getattr(model, n).pending) == 1 for n in ("first", "second", "head"))
    if forget == "model":
        model.zero_grad()
    else:
        opt.zero_grad(set_to_none=forget == "optimizer")
    before = snapshot(model)
    opt.step()
    assert not changed(model, before)


def test_accumulated_samples_act_in_the_order_of_the_backwards():
    """Two backwards and one step pulse as one batch of both: same draws and order, bit for bit."""
    config = AnalogConfig(forward=Periphery(ideal=True), cell=Cell(devices=2, pulsed="turn"))
    x, y = data()
    layers = [mho.convert_to_analog(nn.Sequential(nn.Linear(6, 3)), config) for _ in range(2)]
    with torch.no_grad():
        layers[1].load_state_dict(layers[0].state_dict())
    whole, parts = layers
    digital_loss(whole, x, y).backward()
    for a, b in ((0, 3), (3, 8)):
        digital_loss(parts, x[a:b], y[a:b]).backward()
    assert len(parts[0].pending) == 2
    for model in layers:
        AnalogSGD(model.parameters(), lr=0.05).step()
    one, other = whole[0].analog_tiles()[0], parts[0].analog_tiles()[0]
    assert torch.equal(one.state, other.state)
    assert torch.equal(one.counts, other.counts)
    assert one.totals[0] > 0


# ---- what is refused ----


@pytest.mark.parametrize("chips", [1, 2])
@pytest.mark.parametrize("trains", ["stochastic", "ideal"])
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_nan_in_one_layers_d_moves_no_layer(chips, trains, kind):
    """The first layer's d is NaN, seen only when it steps; the layers behind it must not have moved."""
    head = nn.Linear(4, 3) if kind == "linear" else nn.Conv1d(4, 3, 1)
    net = nn.Sequential(nn.Linear(6, 4) if kind == "linear" else nn.Conv1d(6, 4, 1), nn.Tanh(), head)
    model = mho.convert_to_analog(net, AnalogConfig(update=Update(trains=trains)), chips=chips)
    opt = AnalogSGD(model.parameters(), lr=0.1)
    x = torch.randn(4 * chips, 6) if kind == "linear" else torch.randn(4 * chips, 6, 1)
    before = snapshot(model)
    out = model[0](x)
    model[2](torch.tanh(Spoil.apply(out, True))).sum().backward()
    with pytest.raises(NotFiniteError, match=r"layer '0', update: error d holds NaN or infinity\. Nothing was moved"):
        opt.step()
    assert not conductances(changed(model, before))
    assert not any("counts" in n or "totals" in n for n in changed(model, before))
    opt.zero_grad()
    model(x).sum().backward()
    opt.step()  # and training can go on
    assert conductances(changed(model, before))


@pytest.mark.parametrize("bad", ["first", "second"])
def test_nan_in_a_backward_product_names_the_layer_and_leaves_nothing_behind(bad):
    net = Net()
    model = mho.convert_to_analog(net, AnalogConfig())
    opt = AnalogSGD(model.parameters(), lr=0.1)
    model.bad = bad
    x, y = data()
    x.requires_grad_()
    before = snapshot(model)
    with pytest.raises(NotFiniteError, match=rf"layer '{bad}', backward: the input of an analog product holds NaN"):
        digital_loss(model, x, y).backward()
    model.zero_grad()
    opt.step()
    assert not conductances(changed(model, before))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("periphery", [Periphery(), Periphery(ideal=True)])
def test_an_input_that_is_not_finite_names_the_layer(bad, periphery):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 2))
    model = mho.convert_to_analog(net, AnalogConfig(forward=periphery))
    x = torch.rand(2, 1, 5, 5)
    x[1, 0, 2, 3] = bad
    with pytest.raises(NotFiniteError, match="layer '0', forward"):
        model(x)
    z = torch.rand(2, 18)
    z[0, 0] = bad
    with pytest.raises(NotFiniteError, match="layer '2', forward"):
        model[2](z)


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), [], [0.1, -1.0]])
def test_impossible_rates(lr):
    with pytest.raises(ConfigError, match="lr must be finite and not negative"):
        AnalogSGD(mho.convert_to_analog(nn.Linear(2, 2), EXACT).parameters(), lr=lr)


def test_no_parameters():
    with pytest.raises(ConfigError, match=r"pass model.parameters\(\)"):
        AnalogSGD([])


def test_rates_per_chip_need_chips():
    model = mho.convert_to_analog(nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3)), EXACT, chips=2)
    opt = AnalogSGD(model.parameters(), lr=[0.1, 0.2, 0.3])
    digital_loss(model, torch.randn(4, 6), torch.zeros(4, dtype=torch.long)).backward()
    before = snapshot(model)
    with pytest.raises(ConfigError, match="lr is a list of 3 values over chips, but there are 2 chips"):
        opt.step()
    assert not changed(model, before)
    with pytest.raises(ConfigError, match=r"Adam takes one rate.*AnalogSGD"):
        AnalogOptimizer(torch.optim.Adam, model.parameters(), lr=[0.1, 0.2])
    plain = nn.Linear(2, 2)
    opt = AnalogSGD(plain.parameters(), lr=[0.1, 0.2])
    plain(torch.ones(1, 2)).sum().backward()
    with pytest.raises(ConfigError, match="has no chips; convert the model"):
        opt.step()


def test_rates_per_chip_reach_every_digital_parameter():
    """Digital biases, copies of excluded layers and learnt scales each follow their own chip's rate."""
    net = nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.Sigmoid(), nn.BatchNorm1d(5)), nn.Linear(5, 3))
    config = EXACT.with_(mapping={"scaling": "output", "learn_scale": True, "bias": "digital", "fill": 0.01})
    model = mho.convert_to_analog(net, config, chips=2, exclude=["2"])
    x, y = data()
    opt = AnalogSGD(model.parameters(), lr=[0.05, 0.0])
    mho.chip_loss(F.cross_entropy, model(mho.spread(x, 2)), y).backward()
    before = snapshot(model)
    opt.step()
    for name, value in model.named_parameters():
        if value.numel() == 0:
            continue
        old = before[name]
        if ".copies." in name:
            assert torch.equal(value, old) == (".copies.1." in name), name
        else:
            assert not torch.equal(value[0], old[0]), name
            assert torch.equal(value[1], old[1]), name


def test_optimizer_state_is_saved():
    models = [mho.convert_to_analog(Net(), EXACT, exclude=["head"])]
    models.append(copy.deepcopy(models[0]))
    opts = [AnalogOptimizer(torch.optim.Adam, m.parameters(), lr=0.02) for m in models]
    for step in range(3):
        opts[0].zero_grad()
        digital_loss(models[0], *data(step)).backward()
        opts[0].step()
    models[1].load_state_dict(models[0].state_dict())
    opts[1].load_state_dict(copy.deepcopy(opts[0].state_dict()))
    for model, opt in zip(models, opts, strict=True):
        opt.zero_grad()
        digital_loss(model, *data(9)).backward()
        opt.step()
    one, other = (m.state_dict() for m in models)
    assert not [k for k in one if not torch.equal(one[k], other[k])]
