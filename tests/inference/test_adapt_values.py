"""Adaptation: what is trained, where it ends, and that nothing else moves and no chip looks at another."""

import copy

import pytest
import torch
from torch import nn

import mho
from inference.disturbed import converted
from mho.data import load
from mho.errors import NotFiniteError, ShapeError
from mho.inference.adapt_set import balanced
from mho.inference.adaptation import adapt, importance
from mho.inference.evaluation import evaluate
from mho.inference.programming import program
from mho.inference.sparse import Adapted
from mho.inference.sparse_attach import adapted_layers, attach
from mho.inference.sparse_settings import Adaptation, RandomSparse
from nn.networks import close, ideal

NOISY = mho.preset("gokmen-2017")
DESCENT = Adaptation(epochs=200, batch_size=64, lr=0.9, optimizer="sgd", schedule="constant", loss="mse")


@pytest.mark.parametrize("fraction", [1.0, 0.4])
def test_a_linear_layer_reaches_least_squares(fraction):
    x, targets = torch.randn(40, 5), torch.randn(40, 3)
    model = converted(nn.Sequential(nn.Linear(5, 3)), ideal(), chips=2)
    adapt(model, x, targets, RandomSparse(fraction, bits=None), training=DESCENT)
    layer = model[0]
    weight, bias = layer.layer.get_weights()
    inputs = torch.cat((x, torch.ones(40, 1)), dim=1).double()
    arrays = torch.cat((weight, bias.unsqueeze(2)), dim=2).double()
    chosen = torch.zeros(18, dtype=torch.bool)
    chosen[layer.positions] = True
    for k, found in enumerate(layer.matrix().detach()):
        for row, which in enumerate(chosen.view(3, 6)):
            left = targets[:, row].double() - inputs @ arrays[k, row]
            expected = torch.linalg.lstsq(inputs[:, which], left.unsqueeze(1)).solution[:, 0]
            close(found[row, which].double(), expected, 1e-4)
            assert bool((found[row, ~which] == 0).all())


def network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10),
    )  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    return data.batch(balanced(data.train_labels, 60))


FEW = Adaptation(epochs=2, batch_size=16, lr=0.05, optimizer="sgd")


def test_only_the_values_move(digits):
    net = network()
    net[1].running_mean.normal_()
    model = converted(net, NOISY, chips=2).train()
    model[2].eval()
    attach(model, RandomSparse(0.1))
    before, modes = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    wanted = {name: p.requires_grad for name, p in model.named_parameters()}
    adapt(model, *digits, training=FEW)
    state = {name: value for name, value in model.state_dict().items() if not name.endswith("clock")}  # of draws
    moved = {name for name, value in state.items() if not torch.equal(value, before[name])}
    assert moved == {"0.values", "6.values", "8.values"}
    assert [m.training for m in model.modules()] == modes
    assert {name: p.requires_grad for name, p in model.named_parameters()} == wanted
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 1.0), ("adam", 0.02)])
def test_a_chip_adapts_alone_as_among_others(digits, optimizer, lr):
    training = Adaptation(epochs=2, batch_size=16, lr=lr, optimizer=optimizer)
    net, found = network(), {}
    for chips in (4, [2]):
        model = mho.convert_to_analog(net, NOISY, chips=chips, seed=1, trained=True)
        program(model, "charan-2020")
        report = adapt(model, *digits, RandomSparse(0.1, bits=None), training=training)
        found[str(chips)] = report, {name: one.values.detach() for name, one in adapted_layers(model).items()}
    (many, ours), (alone, theirs) = found.values()
    for name, values in ours.items():
        close(values[2], theirs[name][0], 1e-4)
        assert float((values[2] - values[1]).abs().max()) > 1e-2
    assert many.losses[-1][2] == pytest.approx(alone.losses[-1][0], rel=1e-3)
    assert many.after[2] == pytest.approx(alone.after[0], abs=2)


def test_adaptation_continues_and_values_lie_on_their_grid(digits):
    model = converted(network(), ideal(), chips=2)
    told = []
    sparse = RandomSparse(0.4, bits=4)
    report = adapt(model, *digits, sparse, training=FEW, progress=lambda *a: told.append(a))
    assert [(done, of) for done, of, _ in told] == [(1, 2), (2, 2)]
    assert told[0][2] == pytest.approx(sum(report.losses[0]) / 2)
    first = adapted_layers(model)
    for one in first.values():
        assert 1 < len(one.values[0].unique()) <= 2**4 - 1 < one.values.shape[1]
        assert torch.equal(one.matrix().flatten(1)[:, one.positions], one.values)
    more = adapt(model, *digits, training=FEW)
    assert adapted_layers(model) == first
    assert more.before == report.after
    assert max(more.losses[-1]) < min(report.losses[0])
    again = adapt(model, *digits, sparse, training=FEW)  # new memories, from 0
    assert again == report


def test_importance_is_the_squared_gradient_of_every_weight(digits):
    net, (x, y) = network().eval(), digits
    model = mho.convert_to_analog(net, ideal(max_columns=20), chips=2)
    kept = attach(model, RandomSparse(0.1))
    found = importance(model, x, y, FEW)
    nn.functional.cross_entropy(net(x), y).backward()
    for name, layer in (("0", net[0]), ("6", net[6]), ("8", net[8])):
        gradient = torch.cat((layer.weight.grad.flatten(1), layer.bias.grad.unsqueeze(1)), dim=1)
        close(found[name] / found[name].max(), gradient.square() / gradient.square().max(), 1e-4)
        close(found[name], gradient.square(), 1e-5)
    assert adapted_layers(model) == kept


def test_importance_chooses_what_is_adapted(digits):
    model = converted(network(), ideal(), chips=2)
    scores = importance(model, *digits, FEW)
    adapt(model, *digits, RandomSparse(0.05, select="importance"), training=FEW)
    for name, one in adapted_layers(model).items():
        flat = scores[name].flatten()
        assert set(one.positions.tolist()) == set(flat.argsort(descending=True)[: len(one.positions)].tolist())


def test_the_report_counts_memory_steps_and_products(digits):
    model = converted(network(), ideal(), chips=3)
    report = adapt(model, *digits, RandomSparse(0.1, bits=6, layers=(("8", 0.0),)), training=FEW)
    assert (report.images, report.steps) == (60, 8)  # the last step of an epoch has 12 images
    conv, hidden, out = report.layers
    assert (conv.weights, conv.values, conv.inputs, conv.outputs) == (40, 4, 10, 4)
    assert (hidden.weights, hidden.values, out.weights, out.values) == (16 * 65, 104, 170, 0)
    assert (conv.forward, conv.backward) == (120 * 64, 0)
    assert (hidden.forward, hidden.backward, out.backward) == (120, 120, 120)
    assert (report.values, report.weights, report.writes) == (108, 1250, 8 * 108)
    assert report.share == pytest.approx(108 / 1250)
    assert report.value_bits == 108 * 6 + 2 * 8
    assert report.address_bits == 4 * 6 + 104 * 11
    assert len(report.losses) == 2
    assert len(report.before) == len(report.after) == 3
    assert "8.64" in str(report)


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(1)
    data = load("digits")
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(10):
        for rows in torch.randperm(len(data.train_labels)).split(64):
            x, y = data.batch(rows)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
    return net, data


@pytest.mark.parametrize("select", ["random", "importance"])
@pytest.mark.parametrize("taught", [False, True])
def test_adaptation_brings_back_test_accuracy(trained, select, taught):
    net, data = trained
    model = mho.convert_to_analog(net, NOISY, chips=3, trained=True)
    digital = evaluate(net, data)[0]
    program(model, "charan-2020")
    before = evaluate(model, data)
    x, y = data.batch(balanced(data.train_labels, 200))
    teacher = net if taught else None
    report = adapt(
        model, x, y, RandomSparse(0.1, select=select), training=Adaptation(epochs=10, lr=0.02), teacher=teacher
    )
    after = evaluate(model, data)
    assert digital > 94
    assert max(before) < 89
    assert min(after) > 91
    assert sum(after) - sum(before) > 3 * 9
    assert min(report.after) > 93
    assert all(late < 0.5 * early for early, late in zip(report.losses[0], report.losses[-1], strict=True))


def test_a_teacher_changes_the_values_and_is_left_as_it_was(digits):
    net = network()
    net[5].p = 0.5
    start, found = copy.deepcopy(net.state_dict()), []
    model = converted(net, ideal())
    for share in (0.0, 0.5, 1.0):
        training = Adaptation(epochs=1, distillation=share, lr=0.05, optimizer="sgd")
        adapt(model, *digits, RandomSparse(0.2), training=training, teacher=net)
        found.append(model[8].values.detach().clone())
    assert net.training
    assert all(torch.equal(v, start[k]) for k, v in net.state_dict().items())
    adapt(model, *digits, RandomSparse(0.2), training=Adaptation(epochs=1, lr=0.05, optimizer="sgd"))
    close(model[8].values.detach(), found[0])  # the labels alone
    assert float((found[1] - found[0]).abs().max()) > 1e-3
    assert float((found[2] - found[1]).abs().max()) > 1e-3


def test_a_frozen_layer_of_a_teacher_stays_frozen(digits):
    net = network().train()
    net[5].eval()
    adapt(converted(network(), ideal()), *digits, RandomSparse(0.1), training=FEW, teacher=net)
    assert [m.training for m in (net, net[4], net[5])] == [True, True, False]


def test_a_teacher_of_other_classes_is_refused_and_no_value_moved(digits):
    model = converted(network(), ideal())
    with pytest.raises(ShapeError, match="teacher"):
        adapt(model, *digits, RandomSparse(0.1), training=FEW, teacher=nn.Sequential(nn.Flatten(), nn.Linear(64, 7)))
    assert all(float(one.values.detach().abs().max()) == 0 for one in model.modules() if isinstance(one, Adapted))


def test_a_diverging_adaptation_leaves_the_values_as_they_were(digits):
    model = converted(network(), ideal(), chips=2)
    attach(model, RandomSparse(0.1, bits=None))
    with torch.no_grad():
        model[8].values.fill_(0.01)
    wild = Adaptation(epochs=3, lr=1e38, optimizer="sgd")
    with pytest.raises(NotFiniteError, match=r"diverged.*lr than 1e\+38"):
        adapt(model, *digits, training=wild)
    assert bool((model[8].values == 0.01).all())
    assert float(model[0].values.detach().abs().max()) == 0
    assert model[8].values.requires_grad
