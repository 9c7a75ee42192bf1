"""Trained weights on other chips: exactly the weights and converters of the chip they come from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mho.config import AnalogConfig, preset
from mho.errors import ConfigError
from mho.nn import AnalogLayer, convert_to_analog, convert_to_digital, spread
from mho.train.deploy import deployed


def network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, groups=2), nn.BatchNorm2d(6), nn.Tanh(), nn.Flatten(), nn.Linear(24, 10), nn.Linear(10, 3)
    )


def trained(config: AnalogConfig, chips: int = 2, **options: Any) -> nn.Module:
    """Return a network on chips with different weights, BatchNorm's, too."""
    model = convert_to_analog(network(), config, chips=chips, seed=5, vary=("init",), **options)
    with torch.no_grad():
        for n, layer in enumerate(m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
            layer.running_mean.fill_(0.1 * n)  # type: ignore[union-attr]
        for layer in (m for m in model.modules() if isinstance(m, AnalogLayer)):
            for grid in layer.grid_list:
                if grid.learned is not None:
                    grid.learned.mul_(torch.linspace(0.5, 2.0, grid.learned.numel()).view_as(grid.learned))
    return model.eval()


def layers_of(model: nn.Module) -> list[AnalogLayer]:
    return [m for m in model.modules() if isinstance(m, AnalogLayer)]


EXACT = {"forward": {"ideal": True}}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "split": {"mapping.max_rows": 4, "mapping.max_columns": 7},
    "tile": {"mapping.scaling": "tile", "mapping.max_columns": 7},
    "output, learned": {"mapping.scaling": "output", "mapping.learn_scale": True, "mapping.max_columns": 7},
    "learned": {"mapping.learn_scale": True},
    "digital bias": {"mapping.bias": "digital"},
    "no bias": {"mapping.bias": "none"},
    "pairs": {"cell.pair": "differential"},
    "two arrays": {"rule": "ttv2"},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
@pytest.mark.parametrize("place", [0, 1])
def test_every_chip_has_exactly_the_weights_of_one(changes: dict[str, Any], place: int) -> None:
    model = trained(preset("gokmen-2017").with_({**EXACT, **changes}))
    made = deployed(model, place, chips=[3, 8, 9], seed=1)
    for new, old in zip(layers_of(made), layers_of(model), strict=True):
        for there, here in zip(new.get_weights(), old.get_weights(), strict=True):
            if here is not None and there is not None:
                torch.testing.assert_close(there, here[place].expand_as(there), rtol=1e-6, atol=1e-7)
    x = torch.randn(4, 2, 4, 4)
    plain = convert_to_digital(model, place)
    torch.testing.assert_close(made.eval()(spread(x, 3)), spread(plain(x), 3), rtol=1e-5, atol=1e-5)


def test_arrays_show_what_the_trained_ones_do_also_beyond_the_mean_bound() -> None:
    """Converters then see the same numbers. A device with a wide bound holds weights that the mean device could not."""
    model = trained(preset("gokmen-2017").with_(device__w_max__d2d=0.9, device__w_min__d2d=0.9))
    for block in layers_of(model)[1].grid_list[0].block_list:
        block.write_(torch.full_like(block.visible, 5.0))
    source = layers_of(model)[1].grid_list[0].block_list[0]
    assert float(source.visible[1].max()) > float(source.reach[1]) + 0.1
    made = layers_of(deployed(model, 1, chips=[0, 1]))[1].grid_list[0].block_list[0]
    assert torch.equal(made.visible, source.visible[1].expand(2, -1, -1))
    assert float(made.reach[0]) == pytest.approx(float(source.reach[1]))


def test_converters_of_the_chip_and_changes() -> None:
    config = preset("gokmen-2017").with_({"forward.adc_bits": [6, 8], "layers": {"5": {"forward.dac_bits": 5}}})
    made = layers_of(deployed(trained(config), 1, chips=range(4), settings=["forward.output_noise=0.5"]))
    assert [layer.config.forward.adc_bits for layer in made] == [8, 8, 8]
    assert [layer.config.forward.dac_bits for layer in made] == [7, 7, 5]
    assert [layer.config.forward.output_noise for layer in made] == [0.5, 0.5, 0.5]
    with pytest.raises(ConfigError, match="adc_bits"):
        deployed(trained(config), 0, chips=[0], settings=["forward.adc_bist=3"])


@pytest.mark.parametrize("setting", ["mapping.scaling=none", "mapping.max_rows=4", "mapping.bias=none"])
def test_the_layout_that_weights_were_trained_with_cannot_be_changed(setting: str) -> None:
    model = trained(preset("gokmen-2017").with_(mapping__scaling="tile"))
    with pytest.raises(ConfigError, match="only the converters"):
        deployed(model, 0, chips=range(2), settings=[setting])


def test_the_running_scale_of_inputs_comes_along() -> None:
    model = trained(preset("gokmen-2017").with_({"forward.noise_management": "running-max"}))
    model.train()(spread(torch.randn(8, 2, 4, 4), 2) * torch.arange(1, 17).view(-1, 1, 1, 1))
    made = deployed(model.eval(), 1, chips=range(3))
    for new, old in zip(layers_of(made), layers_of(model), strict=True):
        for there, here in zip(new.grid_list, old.grid_list, strict=True):
            for one, other in zip(there.forward_products, here.forward_products, strict=True):
                assert one.running.tolist() == [float(other.running[1])] * 3
                assert float(other.running[1]) > 0


def test_layers_that_were_digital_stay_so() -> None:
    made = deployed(trained(preset("gokmen-2017"), chips=1, exclude=["4"]), 0, chips=range(2))
    assert [layer.name for layer in layers_of(made)] == ["0", "5"]


def test_the_trained_model_is_left_as_it_is() -> None:
    model = trained(preset("gokmen-2017").with_(mapping__scaling="tile"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = deployed(model, 0, chips=range(3))
    for layer in layers_of(made):
        for tile in layer.analog_tiles():
            tile.state.zero_()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
