"""What cannot be converted, or was asked for in a way that cannot be meant, is refused in words of mho."""

import pytest
import torch
from torch import nn

import mho
from mho.errors import ConfigError, ConversionError, ShapeError
from mho.nn import AnalogConv2d, AnalogLinear
from nn.networks import ideal


def net():
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def test_a_model_is_converted_once():
    model = mho.convert_to_analog(net(), ideal(), chips=2)
    with pytest.raises(ConversionError, match=r"'0' is analog already.*convert_to_digital"):
        mho.convert_to_analog(model, ideal())
    assert mho.convert_to_analog(mho.convert_to_digital(model, chip=1), ideal()).chips == (0,)


def test_settings_for_a_layer_that_is_not_there_are_refused():
    config = ideal().with_(layers={"fc1": {"devices": 2}, "*": {"devices": 2}, "head.*": {"devices": 2}})
    with pytest.raises(ConfigError, match=r"'fc1' matches no layer.*'head\.\*' matches no layer") as found:
        mho.convert_to_analog(net(), config)
    assert "'*'" not in str(found.value)


def test_one_pattern_needs_no_list():
    model = mho.convert_to_analog(
        nn.ModuleDict({"body": nn.Linear(4, 3), "head": nn.Linear(3, 2)}), ideal(), exclude="head"
    )
    assert isinstance(model["body"], AnalogLinear)
    assert type(model["head"]) is nn.Linear
    weights = mho.convert_to_analog(net(), ideal(), chips=2, vary="init")[0].get_weights()[0]
    assert not torch.equal(weights[0], weights[1])


@pytest.mark.parametrize("chips", ["2", 2.0, 0, [], [0.5], [1, 1], None])
def test_impossible_chips(chips):
    with pytest.raises(ConfigError, match="chips is a number"):
        mho.convert_to_analog(net(), ideal(), chips=chips)


def test_the_name_of_a_preset_is_no_config():
    with pytest.raises(ConfigError, match=r"found 'gokmen-2017'; give mho\.preset"):
        mho.convert_to_analog(net(), "gokmen-2017")
    with pytest.raises(ConversionError, match="takes a torch module, found 3"):
        mho.convert_to_analog(3, ideal())


def test_a_lazy_layer_is_run_first():
    lazy = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ConversionError, match=r"0 \(LazyLinear\) has no weights.*run the model once"):
        mho.convert_to_analog(lazy, ideal())
    lazy(torch.zeros(1, 4))
    assert isinstance(mho.convert_to_analog(lazy, ideal())[0], AnalogLinear)


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (3, -1)])
def test_a_layer_has_inputs_and_outputs(sizes):
    with pytest.raises(ConfigError, match="at least 1"):
        AnalogLinear(*sizes, config=ideal())
    with pytest.raises(ConfigError, match="at least 1"):
        AnalogConv2d(*sizes, 3, config=ideal())


def test_an_input_without_features():
    with pytest.raises(ShapeError, match="takes inputs of 3 features"):
        AnalogLinear(3, 2, config=ideal())(torch.tensor(1.0))
