"""Sparse memories beside analog layers: what they add, and that without values they add nothing."""

import copy

import pytest
import torch
from torch import nn

import mho
from inference.disturbed import converted
from mho.errors import ConfigError, MhoError, ShapeError
from mho.inference import sparse_attach
from mho.inference.sparse import Adapted, weights_of
from mho.inference.sparse_attach import adapted_layers, attach, detach
from mho.inference.sparse_settings import RandomSparse
from nn.networks import close, ideal

LAYERS = {
    "linear": (nn.Linear(6, 4), (2, 6)),
    "linear, more dimensions": (nn.Linear(6, 4), (2, 3, 6)),
    "linear, no bias": (nn.Linear(6, 4, bias=False), (2, 6)),
    "conv1d": (nn.Conv1d(2, 4, 3, stride=2, padding=1), (2, 2, 9)),
    "conv2d": (nn.Conv2d(2, 4, (3, 2), dilation=(1, 2), padding="same"), (2, 2, 6, 7)),
    "conv2d, groups": (nn.Conv2d(4, 6, 3, groups=2, padding=1, padding_mode="reflect"), (2, 4, 6, 5)),
    "conv2d, circular": (nn.Conv2d(3, 2, 3, padding=(1, 2), padding_mode="circular", bias=False), (2, 3, 5, 5)),
    "conv3d": (nn.Conv3d(1, 3, 2, stride=(1, 2, 1)), (2, 1, 4, 5, 4)),
}
CASES = pytest.mark.parametrize("case", LAYERS)
BIASES = pytest.mark.parametrize("bias", ["array", "digital"])


def made(case, config, chips=3):
    layer, shape = LAYERS[case]
    return converted(nn.Sequential(layer), config, chips), mho.spread(torch.randn(shape), chips)


@CASES
@BIASES
def test_values_of_zero_change_nothing_bit_for_bit(case, bias):
    config = mho.preset("gokmen-2017").with_({"mapping.bias": bias})  # with converters and noise
    plain, x = made(case, config)
    model = copy.deepcopy(plain)
    attach(model, RandomSparse(0.5))
    assert isinstance(model[0], Adapted)
    assert model[0].values.abs().sum() == 0
    for _ in range(2):
        assert torch.equal(plain(x), model(x))


@CASES
@BIASES
@pytest.mark.parametrize("bits", [None, 8])
def test_values_add_to_the_weights_of_their_chip(case, bias, bits):
    """The oracle: an analog layer whose arrays hold the sum of both."""
    model, x = made(case, ideal(bias=bias, max_columns=5))
    attach(model, RandomSparse(0.4, bits=bits))
    layer = model[0]
    with torch.no_grad():
        layer.values.normal_()
    layer.settle_()
    weight, shift = layer.layer.get_weights()
    extra = layer.matrix().detach()
    if layer.layer.array_bias:
        shift, extra = shift + extra[:, :, -1], extra[:, :, :-1]
    whole = mho.convert_to_analog(nn.Sequential(LAYERS[case][0]), ideal(bias=bias), chips=3)
    whole[0].set_weights(weight + extra, shift)
    assert (extra != 0).sum() >= 3 * (0.4 * extra[0].numel() - 4)
    close(model(x), whole(x))


@CASES
def test_gradients_of_values_and_inputs_are_those_of_finite_differences(case):
    model, x = made(case, ideal(), chips=2)
    layer = next(iter(attach(model, RandomSparse(0.5, bits=None)).values()))
    values = torch.randn(layer.values.shape, dtype=torch.float64, requires_grad=True)

    def out(values, x):
        return torch.func.functional_call(_Correction(layer), {"layer.values": values}, (x,))

    assert torch.autograd.gradcheck(out, (values, x.double().requires_grad_()), fast_mode=True)


class _Correction(nn.Module):
    def __init__(self, layer: Adapted) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer.correction(x)


def net():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 36, 8), nn.Tanh(), nn.Linear(8, 4))


def test_errors_pass_the_frozen_arrays_on_their_way_to_earlier_values():
    model = converted(net(), ideal(max_rows=5, max_columns=40), chips=2)
    layers = attach(model, RandomSparse(0.3, bits=None))
    x = mho.spread(torch.randn(3, 1, 8, 8), 2)
    for one in layers.values():
        nn.init.normal_(one.values, std=0.05)
    model(x).square().sum().backward()
    for one in layers.values():
        k = int(one.values.grad[1].abs().argmax())
        found = []
        for place in (0.01, -0.01):
            with torch.no_grad():
                before = one.values[1, k].clone()
                one.values[1, k] += place
                found.append(float(model(x).double().square().sum()))
                one.values[1, k] = before
        assert float(one.values.grad[1, k]) == pytest.approx((found[0] - found[1]) / 0.02, rel=1e-3)


def test_every_layer_is_replaced_in_its_place_and_comes_back():
    model = mho.convert_to_analog(nn.Sequential(net(), nn.Linear(4, 4)), ideal())
    model.append(model[1])  # at a second place
    layers = [model[0][0], model[0][3], model[0][5], model[1]]
    made = attach(model, RandomSparse(0.3, layers=(("1", 0.0),)))
    assert list(made) == list(adapted_layers(model)) == [layer.name for layer in layers]
    assert model[1] is model[2] is made["1"]
    assert made["1"].positions.numel() == 0
    assert attach(model, RandomSparse(0.9)) == adapted_layers(model)
    detach(model)
    assert [model[0][0], model[0][3], model[0][5], model[1]] == layers
    assert model[2] is model[1]
    assert adapted_layers(model) == {}


def test_products_are_counted_by_vector():
    model = converted(net(), ideal(), chips=2)
    layers = list(attach(model, RandomSparse(0.1)).values())
    model(mho.spread(torch.randn(5, 1, 8, 8), 2)).sum().backward()
    model(mho.spread(torch.randn(1, 1, 8, 8), 2))
    with torch.no_grad():
        model(mho.spread(torch.randn(2, 1, 8, 8), 2))
    assert [one.forward_vectors for one in layers] == [8 * 36, 8, 8]
    assert [one.backward_vectors for one in layers] == [0, 6, 6]


@BIASES
def test_a_digital_copy_holds_the_sum_of_array_and_values(bias):
    model = converted(net(), ideal(bias=bias), chips=2)
    for one in attach(model, RandomSparse(0.3)).values():
        nn.init.normal_(one.values)
    x = torch.randn(3, 1, 8, 8)
    expected = mho.per_chip(model(mho.spread(x, 2)), 2)
    for chip in (0, 1):
        plain = mho.convert_to_digital(model, chip)
        assert [type(layer) for layer in plain] == [type(layer) for layer in net()]
        close(plain(x), expected[chip])


def test_values_survive_saving_and_copying():
    model = converted(net(), ideal(), chips=2)
    layers = attach(model, RandomSparse(0.3))
    for one in layers.values():
        nn.init.normal_(one.values)
    other = converted(net(), ideal(), chips=2)
    attach(other, RandomSparse(0.3), seed=9)
    x = mho.spread(torch.randn(3, 1, 8, 8), 2)
    twin = copy.deepcopy(model)
    other.load_state_dict(model.state_dict())
    assert torch.equal(twin(x), model(x))
    assert torch.equal(other(x), model(x))


def test_bad_input_is_refused_and_nothing_is_replaced():
    model = converted(net(), ideal())
    sizes = {name: weights_of(layer) for name, layer in sparse_attach.named_layers(model).items()}
    scores = {name: torch.ones(size) for name, size in sizes.items()}
    chosen = RandomSparse(0.1, select="importance")
    wrong = [
        (ConfigError, "without analog layers", lambda: attach(net(), RandomSparse())),
        (ConfigError, "the whole model", lambda: attach(model[0], RandomSparse())),
        (ConfigError, "needs scores", lambda: attach(model, chosen)),
        (ConfigError, "takes no scores", lambda: attach(model, RandomSparse(), scores=scores)),
        (ConfigError, "layer '5' has none", lambda: attach(model, chosen, scores={"0": scores["0"], "3": scores["3"]})),
        (ShapeError, r"expected \(4, 9\)", lambda: attach(model, chosen, scores={**scores, "5": torch.ones(4, 8)})),
        (MhoError, "NaN", lambda: attach(model, chosen, scores={**scores, "0": scores["0"] * float("nan")})),
        (ConfigError, "no value at all", lambda: attach(model, RandomSparse(1e-5))),
    ]
    for kind, text, call in wrong:
        with pytest.raises(kind, match=text):
            call()
    assert adapted_layers(model) == {}


def test_layers_of_one_name_are_refused():
    config = ideal()
    model = nn.Sequential(
        mho.AnalogLinear(3, 3, config=config, name="a"), mho.AnalogLinear(3, 3, config=config, name="a")
    )
    with pytest.raises(ConfigError, match="a stands twice"):
        attach(model, RandomSparse())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"fraction": 0}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"fraction": "much"}, "fraction"),
        ({"bits": 1}, "bits"),
        ({"bits": 8.5}, "bits"),
        ({"select": "large"}, "random, importance"),
        ({"scope": "all"}, "layer, total"),
        ({"layers": (("conv*", 2.0),)}, "layers"),
        ({"layers": (("conv*", 0.2),), "scope": "total"}, "scope"),
    ],
)
def test_impossible_settings_are_refused(settings, text):
    with pytest.raises(ConfigError, match=text):
        RandomSparse(**settings)
