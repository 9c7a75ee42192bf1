"""Programming a model: what it shows, chips, layouts and layers, programming again, ageing, restoring, refusals."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import mho
from inference.programmed_models import IMAGES, analog, network, outputs
from mho.errors import ConfigError, MhoError, NotFiniteError, ShapeError
from mho.inference import (
    Ageing,
    Conductances,
    Programming,
    StuckFaults,
    Verify,
    WriteError,
    age,
    preset,
    preset_rows,
    program,
    restore,
)
from mho.inference.ageing_settings import Drift, ReadNoise
from mho.inference.programming import programmed_blocks
from mho.update.mixed_precision import MixedPrecision
from mho.update.ttv2 import TTv2

NOISY = Programming(
    Conductances(levels=31),
    WriteError("log-normal", c2c=0.05, d2d=0.05),
    StuckFaults(0.03, 0.02, "clusters", 2),
    Verify(tolerance=0.03, read_noise=0.01, iterations=4),
)
TABLE = WriteError("levels", c2c=0.8, d2d=0.6, table=((0.0, 0.01, 0.02), (0.5, 0.0, 0.05), (1.0, -0.02, 0.01)))
WAYS = {
    "additive": Programming(Conductances("offset"), WriteError("additive", c2c=0.02, d2d=0.01)),
    "multiplicative": Programming(Conductances("single"), WriteError("multiplicative", c2c=0.1)),
    "tune": NOISY,
    "rewrite": NOISY.with_({"verify.strategy": "rewrite"}),
    "table": Programming(Conductances(reach="output"), TABLE, StuckFaults(0.1, 0.1, "rows")),
    "pcm": preset("pcm").with_(compensation="column"),
    "charan-2020": preset("charan-2020"),
}


@pytest.mark.parametrize("layout", ["pair", "offset", "single"])
@pytest.mark.parametrize("reach", ["tile", "output", "device"])
def test_without_errors_a_programmed_model_answers_as_before(layout: str, reach: str) -> None:
    model = analog(2)
    before = outputs(model)
    report = program(model, Programming(Conductances(layout, g_min=1e-6, reach=reach)))
    assert not torch.equal(outputs(model), before)  # it is another path
    torch.testing.assert_close(outputs(model), before, rtol=2e-5, atol=2e-6)
    assert all(layer.error.max() < 1e-6 and not layer.clipped.any() for layer in report.layers)


@pytest.mark.parametrize("rule", [TTv2(), MixedPrecision()])
@pytest.mark.parametrize("changes", [{"mapping.bias": "digital"}, {"mapping.learn_scale": True}, {"cell.devices": 3}])
def test_any_converted_model_is_programmed(rule: object, changes: dict) -> None:
    model = analog(2, rule=rule, **changes)
    before = outputs(model)
    program(model)
    torch.testing.assert_close(outputs(model), before, rtol=2e-5, atol=2e-6)
    program(model, WAYS["additive"])
    assert (outputs(model) - before).abs().max() > 1e-3


@pytest.mark.parametrize("name", WAYS)
def test_restore_shows_the_trained_arrays_bit_for_bit(name: str) -> None:
    model = analog(2)
    before, state = outputs(model), copy.deepcopy(model.state_dict())
    program(model, WAYS[name])
    age(model, 10.0)
    assert not torch.equal(outputs(model), before)
    restore(model)
    assert torch.equal(outputs(model), before)
    after = model.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[key], state[key]) for key in state if not key.endswith("clock"))  # counts products


def shown(model: nn.Module) -> list[torch.Tensor]:
    return [t for one in programmed_blocks(model) for t in (one.conductance, one.visible)]


@pytest.mark.parametrize("name", WAYS)
def test_a_chip_alone_is_programmed_as_among_eight(name: str) -> None:
    many, one = analog(8), analog([5])
    for model in (many, one):
        for _ in range(2):  # also when it is programmed again
            report = program(model, WAYS[name])
        if name == "pcm":
            age(model, 100.0)
        model.report = report
    pairs = list(zip(shown(many), shown(one), strict=True))
    assert all(torch.equal(a[5:6], b) for a, b in pairs)
    assert not any(torch.equal(a[4:5], b) for a, b in pairs)
    for a, b in zip(many.report.layers, one.report.layers, strict=True):
        np.testing.assert_allclose(a.error[5], b.error[0], rtol=1e-6)
        assert (a.pulses[5], a.reads[5], a.missed[5]) == (b.pulses[0], b.reads[0], b.missed[0])


def test_programming_again_draws_errors_of_the_write_afresh_and_keeps_the_devices() -> None:
    model = analog(2)
    error = WriteError("additive", c2c=0.01, d2d=0.2)
    found = []
    for _ in range(2):
        program(model, Programming(error=error, faults=StuckFaults(0.2, 0.2)))
        found.append(programmed_blocks(model)[0])
    assert torch.equal(found[0].stuck, found[1].stuck)
    free = found[0].stuck == 0
    off = [(one.conductance - one.wanted())[free] / 25e-6 for one in found]
    inside = (off[0] > -0.1) & (off[1] > -0.1)  # not at the bound of 0 siemens
    assert 0.005 < float((off[0] - off[1])[inside].std()) < 0.03  # sqrt(2) c2c
    assert float(off[0].std()) > 0.1
    first = found[0].conductance
    restore(model)
    program(model, Programming(error=error, faults=StuckFaults(0.2, 0.2)))
    assert torch.equal(programmed_blocks(model)[0].conductance, first)


def test_another_seed_is_another_set_of_devices() -> None:
    model = analog()
    found = []
    for seed in (None, 3, 4):
        restore(model)
        program(model, WAYS["charan-2020"], seed=seed)
        found.append(outputs(model))
    assert torch.equal(found[0], found[1])  # the model's own seed
    assert not torch.equal(found[0], found[2])


def test_errors_of_blocks_and_sides_are_independent() -> None:
    model = analog()
    program(model, Programming(Conductances("pair", g_min=10e-6, g_max=30e-6), WriteError("additive", c2c=0.05)))
    sides = [side.flatten() for one in programmed_blocks(model) for side in (one.conductance - one.wanted())[0]]
    n = min(len(side) for side in sides)
    correlations = np.corrcoef(torch.stack([side[:n] for side in sides]).numpy())
    np.fill_diagonal(correlations, 0.0)
    pairs = len(sides) * (len(sides) - 1) / 2
    assert np.abs(correlations).max() < np.sqrt(2 * np.log(pairs / 1e-3) / n)  # false-alarm rate under 1e-3


def test_the_report_counts_and_costs() -> None:
    model = analog(2)
    settings = Programming(Conductances(levels=9), faults=StuckFaults((0.0, 1.0), 0.0)).with_(
        {"timing.pulse": 1e-6, "timing.parallel": 10}
    )
    report = program(model, settings)
    names = [name for name, m in model.named_modules() if hasattr(m, "analog_tiles")]
    assert [layer.name for layer in report.layers] == names
    devices = [2 * layer.out_size * (layer.in_size + layer.array_bias) for layer in map(model.get_submodule, names)]
    assert [layer.devices for layer in report.layers] == devices
    assert report.pulses.tolist() == [sum(devices)] * 2
    np.testing.assert_allclose(report.seconds, sum(devices) * 1e-7)
    for layer in report.layers:
        assert layer.stuck_low.tolist() == [0.0, 1.0]
        assert not layer.stuck_high.any()
    lines = str(report).splitlines()
    assert len(lines) == 1 + len(names)
    assert len({len(line) for line in lines}) == 1


def test_quantisation_error_is_that_of_a_uniform_grid() -> None:
    """Weights that are uniform in a step have an error of step/sqrt(12); 3 % is 6 deviations of 8000 weights."""
    model = mho.convert_to_analog(nn.Linear(400, 20, bias=False), analog()[0].config, trained=True)
    report = program(model, Programming(Conductances(levels=17)))
    assert report.layers[0].error[0] == pytest.approx(2 / 16 / 12**0.5, rel=0.03)


def test_clipped_weights_are_counted() -> None:
    model = analog()
    narrow = {"mapping.scaling": "none", "mapping.max_rows": 10, "device.w_max": 0.1, "device.w_min": -0.1}
    config = model[0].config.with_(narrow)
    layer = mho.convert_to_analog(nn.Linear(10, 10, bias=False), config)
    layer.grid_list[0].block_list[0].array_list[0].tile_list[0].visible.mul_(3.0)
    report = program(layer, Programming(Conductances(reach="device")))
    over = (layer.grid_list[0].block_list[0].visible.abs() > 0.1).float().mean()
    assert 0.1 < over < 0.9
    assert report.layers[0].clipped[0] == pytest.approx(float(over))
    assert layer.get_weights()[0].abs().max() <= 0.1 + 1e-6


def test_ageing_goes_forward_only_and_draws_noise_anew() -> None:
    model = analog()
    quiet = Programming(ageing=Ageing(drift=Drift(nu=0.1, std=0.02)))
    program(model, quiet)
    age(model, 10.0)
    first = outputs(model)
    age(model, 10.0)
    assert torch.equal(outputs(model), first)
    age(model, 1000.0)
    assert not torch.equal(outputs(model), first)
    with pytest.raises(MhoError, match=r"asked for 999 s .* shown at 1000 s already; times cannot go backwards: give"):
        age(model, 999.0)
    program(model, quiet.with_({"ageing.read_noise": ReadNoise(relative=0.01)}))
    age(model, 0.0)
    first = outputs(model)
    age(model, 0.0)
    assert not torch.equal(outputs(model), first)


@pytest.mark.parametrize(
    ("seconds", "why"), [(-1.0, "cannot go backwards"), (math.nan, "finite number, found nan"), (math.inf, "found inf")]
)
def test_a_time_that_is_none_is_refused(seconds: float, why: str) -> None:
    model = analog()
    program(model)
    before = outputs(model)
    with pytest.raises(MhoError, match=why):
        age(model, seconds)
    assert torch.equal(outputs(model), before)


def test_a_time_as_text_is_refused() -> None:
    model = analog()
    program(model)
    with pytest.raises(MhoError, match="seconds as a finite number, found '1h'"):
        age(model, "1h")


def test_compensation_undoes_a_common_drift() -> None:
    ageing = Ageing(drift=Drift(nu=0.1))
    for kind in ("global", "column", "tile"):
        model = analog(2)
        before = outputs(model)
        program(model, Programming(ageing=ageing, compensation=kind))
        age(model, 1e6)
        torch.testing.assert_close(outputs(model), before, rtol=1e-4, atol=1e-5)


def test_a_programmed_model_is_saved_copied_and_loaded() -> None:
    model, other = analog(2), analog(2)
    settings = preset("pcm").with_({"compensation": "tile", "faults.low": 0.1})
    program(model, settings)
    age(model, 50.0)
    program(other, settings.with_(low=0.05), seed=77)
    other.load_state_dict(model.state_dict())
    again = copy.deepcopy(model)
    for one in (other, again):
        assert torch.equal(outputs(one), outputs(model))
        with pytest.raises(MhoError, match="backwards"):
            age(one, 49.0)
    age(model, 60.0)
    for one in (other, again):  # what is loaded has the drift of the devices that were saved, not of those of its seed
        age(one, 60.0)
        assert torch.equal(outputs(one), outputs(model))


def test_what_was_programmed_is_not_loaded_into_a_model_that_is_not() -> None:
    """torch takes an empty place for a module as one that may have any keys, and would drop these."""
    model, plain = analog(2), analog(2)
    program(model, "pcm")
    with pytest.raises(RuntimeError, match=r"Unexpected key.*programmed\.conductance"):
        plain.load_state_dict(model.state_dict())
    assert any("programmed.visible" in name for name in plain.load_state_dict(model.state_dict(), strict=False)[1])


def test_what_is_programmed_again_is_read_with_other_noise() -> None:
    model = analog()
    seen = []
    for _ in range(2):
        program(model, Programming(ageing=Ageing(read_noise=ReadNoise(relative=0.1))))
        age(model, 0.0)
        seen.append(outputs(model))
    assert not torch.allclose(*seen, atol=1e-3)


def test_a_programmed_model_becomes_a_digital_one_with_the_weights_shown() -> None:
    model = analog(2)
    program(model, WAYS["charan-2020"])
    plain = mho.convert_to_digital(model, chip=1).eval()
    torch.testing.assert_close(plain(IMAGES).detach(), outputs(model)[1], rtol=2e-5, atol=2e-6)


def test_a_programmed_model_is_not_trained() -> None:
    model = analog(1).train()
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=0.1)
    program(model)
    model(IMAGES).sum().backward()
    with pytest.raises(MhoError, match=r"programmed.*mho\.restore"):
        optimizer.step()


@pytest.mark.parametrize("row", preset_rows(), ids=lambda row: row.name)
def test_every_preset_programs_and_ages(row: object) -> None:
    model = analog(2)
    before = outputs(model)
    program(model, row.name)
    age(model, 3600.0)
    assert torch.isfinite(outputs(model)).all()
    if row.name != "ideal":
        assert (outputs(model) - before).abs().max() > 1e-3


def test_what_cannot_be_programmed_is_refused() -> None:
    model = analog(2)
    cases = [
        (lambda: program(network()), MhoError, "has no analog layers.*mho.convert_to_analog"),
        (lambda: restore(network()), MhoError, "has no analog layers"),
        (lambda: age(model, 1.0), MhoError, "is not programmed.*mho.program"),
        (lambda: program(model, "pmc"), ConfigError, "no programming preset 'pmc'; did you mean 'pcm'"),
        (lambda: program(model, 16), ConfigError, "takes a Programming or the name of a preset.*found 16"),
        (
            lambda: program(model, preset("pcm").with_({"error.c2c": (1.0, 1.0, 1.0)})),
            ConfigError,
            "error.c2c is a list of 3 values",
        ),
        (
            lambda: program(model, Programming(faults=StuckFaults((0, 0.1, 0)))),
            ConfigError,
            "faults.low is a list of 3",
        ),
        (
            lambda: program(model, Programming(ageing=Ageing(drift=Drift(nu=(0.1, 0.1, 0.1))))),
            ConfigError,
            "ageing.drift.nu: lists 3 values for chips, but chips is 2",
        ),
        (lambda: program(model, seed=-1), MhoError, "seed must be"),
    ]
    for call, kind, text in cases:
        with pytest.raises(kind, match=text):
            call()
        assert not programmed_blocks(model)


def test_nothing_is_programmed_when_a_later_layer_cannot_be() -> None:
    model = analog()
    program(model, WAYS["additive"])
    before = outputs(model)
    model[6].grid_list[0].block_list[0].array_list[0].tile_list[0].visible[0, 0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match="layer '6' has weights that are NaN or infinite; nothing was programmed"):
        program(model, "pcm")
    assert torch.equal(outputs(model), before)


def test_a_layer_of_zeros_is_programmed() -> None:
    model = analog()
    model[6].set_weights(torch.zeros(5, 11))
    program(model, Programming(Conductances(levels=3)))
    assert not model[6].get_weights()[0].any()


def test_fault_maps_of_a_wrong_shape_are_refused() -> None:
    model = analog(2)
    good = np.zeros((2, 11, 65))
    cases = [
        (
            {"4": good[:, :, :-1]},
            ShapeError,
            r"layer '4' has shape \(2, 11, 64\).*\(2, 11, 65\) \(the bias is the last",
        ),
        ({"4": good[0]}, ShapeError, r"has shape \(11, 65\)"),
        ({"4": np.zeros((3, 2, 11, 65))}, ShapeError, r"give that, or \(chips, .*\) = \(2, 2, 11, 65\)"),
        ({"3": good}, ConfigError, "names a layer '3' that is not analog; valid names: 0, 2, 4, 6"),
        ({"4": good + 2}, ConfigError, r"holds \[2.0\], but a device is 0 \(free\)"),
        ({"4": good * np.nan}, ConfigError, "holds"),
    ]
    for given, kind, text in cases:
        with pytest.raises(kind, match=text):
            program(model, fault_map=given)
        assert not programmed_blocks(model)
