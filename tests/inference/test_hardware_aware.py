"""Hardware-aware training: what a layer sees, that seeds repeat it, and that it goes without a trace."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.data import load
from mho.errors import ConfigError, ConversionError, MhoError, NotFiniteError
from mho.inference import Aware, HardwareAware, WeightClip, WeightNoise, hardware_aware
from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.inference.faults import StuckFaults
from mho.inference.settings import Programming
from mho.inference.weight_noise import NoiseDraw, noisy
from mho.train.digital import fit

SIGMA = 0.1


def linear(**settings: Any) -> tuple[nn.Linear, Aware]:
    torch.manual_seed(0)
    layer = nn.Linear(60, 50, bias=False)
    return layer, hardware_aware(layer, HardwareAware(**settings), seed=settings.get("seed", 0))


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    )  # fmt: skip


def seen(layer: nn.Linear) -> Tensor:
    """Return the weight that one forward uses, (out, in)."""
    return layer(torch.eye(layer.in_features)).t().detach()


@pytest.mark.parametrize(
    ("model", "normal"),
    [
        ("additive", lambda w, seen: (seen - w) / w.abs().max()),
        ("multiplicative", lambda w, seen: seen / w - 1),
        ("log-normal", lambda w, seen: (seen / w).log()),
    ],
)
def test_noise_has_its_formula_and_is_drawn_anew_for_every_batch(model: Any, normal: Any) -> None:
    layer, _ = linear(noise=WeightNoise(model, sigma=SIGMA))
    w = layer.parametrizations.weight.original.detach()
    draws = torch.stack([normal(w, seen(layer)) for _ in range(20)]).flatten(1)
    n = draws.numel()
    assert float(draws.mean()) == pytest.approx(0, abs=5 * SIGMA / n**0.5)
    assert float(draws.std()) == pytest.approx(SIGMA, rel=5 / (2 * n) ** 0.5)
    correlation = torch.corrcoef(draws) - torch.eye(20)
    assert float(correlation.abs().max()) < 5.5 / draws.shape[1] ** 0.5


def test_noise_relative_to_each_output() -> None:
    layer, _ = linear(noise=WeightNoise("additive", sigma=SIGMA, per="output"))
    w = layer.parametrizations.weight.original
    with torch.no_grad():
        w.mul_(torch.logspace(-3, 0, 50).unsqueeze(1))
    error = torch.stack([seen(layer) - w.detach() for _ in range(50)])
    relative = error.std(dim=(0, 2)) / w.detach().abs().amax(1)
    torch.testing.assert_close(relative, torch.full((50,), SIGMA), rtol=0.08, atol=0)


def test_the_gradient_is_that_of_the_formula() -> None:
    draw = NoiseDraw(3, "layer", 7)
    for model, slope in (
        ("additive", lambda n: 1 + 0 * n),
        ("multiplicative", lambda n: 1 + n),
        ("log-normal", torch.exp),
    ):
        w = torch.randn(8, 5, requires_grad=True)
        g = torch.randn(8, 5)
        (noisy(w, WeightNoise(model, sigma=SIGMA), draw) * g).sum().backward()  # type: ignore[arg-type]
        n = SIGMA * draw.normal(w.detach(), "noise")
        torch.testing.assert_close(w.grad, g * slope(n))
    w = torch.randn(8, 5, requires_grad=True)
    (noisy(w, WeightNoise("programming", programming="charan-2020"), draw) * g).sum().backward()
    assert w.grad is not None
    assert torch.equal(w.grad, g)


def test_dropped_weights_are_0_and_the_others_as_they_were() -> None:
    layer, _ = linear(noise=WeightNoise(drop=0.2))
    w = layer.parametrizations.weight.original.detach()
    shown = torch.stack([seen(layer) for _ in range(20)])
    gone = shown == 0
    assert float(gone.float().mean()) == pytest.approx(0.2, abs=5 * (0.16 / gone.numel()) ** 0.5)
    assert torch.equal(shown[~gone], w.expand_as(shown)[~gone])


def test_programmed_weights_have_levels_errors_and_faults_of_fresh_devices() -> None:
    """Pairs on 5 levels with the low device of a pair's half stuck: only allowed values, other ones every batch."""
    settings = Programming(Conductances(levels=5), faults=StuckFaults(low=0.3, high=0.1))
    layer, _ = linear(noise=WeightNoise("programming", programming=settings))
    w = layer.parametrizations.weight.original.detach()
    a, b = (seen(layer) / w.abs().max() for _ in range(2))
    torch.testing.assert_close(a.unique(), torch.linspace(-1, 1, 5))
    assert 0.2 < float((a != b).float().mean()) < 0.8
    free, _ = linear(noise=WeightNoise("programming", programming=Programming(error=WriteError("none"))))
    torch.testing.assert_close(seen(free), w)


def test_programming_draws_are_those_of_no_chip() -> None:
    settings = Programming(error=WriteError("multiplicative", d2d=0.1))
    layer, _ = linear(noise=WeightNoise("programming", programming=settings))
    shown = seen(layer)
    plain = nn.Sequential(nn.Linear(60, 50, bias=False))
    with torch.no_grad():
        plain[0].weight.copy_(layer.parametrizations.weight.original)
    model = mho.convert_to_analog(plain, mho.AnalogConfig(), trained=True)
    mho.inference.program(model, settings)
    chip = model[0].grid_list[0].block_list[0].programmed.visible[0]
    w = plain[0].weight.detach()
    keep = w.abs() > 0.02
    a, b = ((t / w - 1)[keep] for t in (shown, chip * (w.abs().max() / chip.abs().max())))
    assert abs(float(torch.corrcoef(torch.stack((a, b)))[0, 1])) < 0.1


def test_the_same_seed_gives_the_same_noise_and_another_seed_another() -> None:
    x = torch.rand(3, 1, 8, 8)
    outs = []
    for seed in (4, 4, 5):
        model = network()
        hardware_aware(model, HardwareAware(noise=WeightNoise("additive", sigma=0.1)), seed=seed)
        torch.manual_seed(seed + len(outs))  # torch's generator has no part in it
        outs.append([model(x) for _ in range(2)])
    assert torch.equal(outs[0][0], outs[1][0])
    assert torch.equal(outs[0][1], outs[1][1])
    assert not torch.equal(outs[0][0], outs[0][1])
    assert not torch.equal(outs[0][0], outs[2][0])


def test_evaluation_has_no_noise_unless_asked_and_moves_no_step() -> None:
    x, model = torch.rand(3, 1, 8, 8), network()
    plain = copy.deepcopy(model).eval()
    aware = hardware_aware(model, HardwareAware(noise=WeightNoise("additive", sigma=0.1)))
    model.eval()
    assert torch.equal(model(x), plain(x))
    aware.set_eval_noise(True)
    one, two = model(x), model(x)
    assert not torch.equal(one, two)
    aware.set_eval_noise(False)
    assert torch.equal(model(x), plain(x))
    assert int(model.state_dict()["0.parametrizations.weight.0._extra_state"][0]) == 2


def test_looking_at_a_weight_draws_nothing() -> None:
    layer, _ = linear(noise=WeightNoise("additive", sigma=0.1))
    used = seen(layer)
    assert torch.equal(layer.weight, layer.weight)
    assert torch.equal(layer.weight, used)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_any_optimizer_trains_it_and_what_is_left_is_plain(optimizer: Any) -> None:
    model, data = network(), load("digits").first(200)
    aware = hardware_aware(
        model, HardwareAware(noise=WeightNoise("multiplicative", sigma=0.05), clip=WeightClip("fixed", 0.05))
    )
    fit(model, data, epochs=1, optimizer=optimizer(model.parameters(), lr=0.05), progress=False)
    model.eval()
    out = model(data.test_x[:50])
    assert aware.remove() is model
    assert [type(m) for m in model] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Flatten, nn.Linear]
    assert sorted(model.state_dict()) == sorted(network().state_dict())
    assert float(model[4].weight.detach().abs().max()) == pytest.approx(0.05)
    assert torch.equal(model(data.test_x[:50]), out)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())
    mho.convert_to_analog(model, mho.AnalogConfig(), trained=True)


def test_clipping_by_standard_deviations_happens_once_after_a_step() -> None:
    for per in ("layer", "output"):
        layer, _ = linear(clip=WeightClip("deviations", 1.0, per=per))
        w = layer.parametrizations.weight.original
        before = w.detach().clone()
        top = before.std(correction=0) if per == "layer" else before.std(1, correction=0, keepdim=True)
        for _ in range(3):
            layer(torch.ones(1, 60))
        torch.testing.assert_close(w.detach(), torch.minimum(torch.maximum(before, -top), top.expand_as(before)))
        optimizer = torch.optim.SGD([w], lr=1.0)
        layer(torch.ones(1, 60)).sum().backward()
        optimizer.step()
        after = w.detach().clone()
        layer(torch.ones(1, 60))
        assert not torch.equal(w, after)


def test_gradients_accumulate_over_two_forwards() -> None:
    layer, _ = linear(clip=WeightClip("deviations", 1.0), noise=WeightNoise("additive", sigma=0.1))
    (layer(torch.ones(1, 60)).sum() + layer(torch.ones(2, 60)).sum()).backward()
    w = layer.parametrizations.weight.original
    assert w.grad is not None
    assert torch.equal(w.grad, torch.full_like(w, 3.0))


def test_weights_on_levels() -> None:
    layer, _ = linear(weight_bits=2, weight_range="output")
    w = layer.parametrizations.weight.original.detach()
    relative = seen(layer) / w.abs().amax(1, keepdim=True)
    torch.testing.assert_close(relative.unique(), torch.linspace(-1, 1, 4), rtol=1e-5, atol=1e-6)


def test_calibrated_ranges_are_what_was_seen() -> None:
    model = network().eval()
    aware = hardware_aware(model, HardwareAware(input_range="calibrated", input_bits=4, output_range="learned"))
    x = torch.rand(20, 1, 8, 8)
    with pytest.raises(MhoError, match="the inputs of layer '0' have a range that is calibrated, and it was not"):
        model(x)
    plain = copy.deepcopy(network()).eval()
    aware.calibrate([x[:10], x[10:]])
    hidden = plain[:4](x)
    assert aware.ranges()["0"]["inputs"] == float(x.max())
    assert aware.ranges()["4"]["inputs"] == pytest.approx(float(hidden.abs().max()), rel=1e-6)
    assert aware.ranges()["4"]["outputs"] == pytest.approx(float(plain(x).abs().max()), rel=1e-5)
    levels = 7 * model[0].signals.inputs(x) / x.max()
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-5)
    aware.calibrate([x], quantile=0.9)
    assert aware.ranges()["0"]["inputs"] == pytest.approx(float(x.quantile(0.9)), rel=1e-2)
    with pytest.raises(ConfigError, match="4 ranges, but 0 batches did not reach the inputs of layer '0'"):
        aware.calibrate([])
    with pytest.raises(ConfigError, match="quantile"):
        aware.calibrate([x], quantile=0)


def test_a_calibration_that_fails_changes_no_range() -> None:
    model = network().eval()
    aware = hardware_aware(model, HardwareAware(input_range="calibrated", input_bits=4))
    aware.calibrate([torch.rand(20, 1, 8, 8)])
    before = aware.ranges()
    with pytest.raises(NotFiniteError, match="the inputs of layer '0' hold NaN"):
        aware.calibrate([torch.full((2, 1, 8, 8), math.nan)])
    with pytest.raises(RuntimeError, match="shapes"):
        aware.calibrate([3 * torch.rand(20, 1, 8, 8), torch.rand(2, 1, 5, 5)])
    assert aware.ranges() == before
    model(torch.rand(2, 1, 8, 8))  # converters convert again


def test_calibration_leaves_a_frozen_layer_frozen() -> None:
    model = network().train()
    model[1].eval()
    hardware_aware(model, HardwareAware(input_range="calibrated", input_bits=4)).calibrate([torch.rand(20, 1, 8, 8)])
    assert [m.training for m in (model, model[0], model[1])] == [True, True, False]


def test_learned_ranges_are_trained_with_the_weights() -> None:
    model, data = network(), load("digits").first(200)
    aware = hardware_aware(model, HardwareAware(input_range="learned", input_bits=3))
    aware.calibrate([data.train_x[:100]])
    before = aware.ranges()["4"]["inputs"]
    assert "4.signals.inputs.reach" in dict(model.named_parameters())
    fit(model, data, epochs=1, optimizer=torch.optim.Adam(model.parameters(), lr=0.01), progress=False)
    after = aware.ranges()["4"]["inputs"]
    assert after != before
    assert after > 0


def test_the_range_of_a_batch_is_its_largest_value() -> None:
    layer, _ = linear(input_range="batch", input_bits=3)
    x = torch.linspace(-2, 2, 60).unsqueeze(0)
    torch.testing.assert_close(layer(x), layer((x / 2 * 3).round() / 3 * 2), rtol=1e-4, atol=1e-5)
    assert hardware_aware(network(), HardwareAware(output_range=2.0)).ranges()["0"] == {"outputs": 2.0}


def test_copies_and_state_dicts_go_on_alike(tmp_path: Path) -> None:
    settings = HardwareAware(
        noise=WeightNoise("log-normal", sigma=0.1),
        clip=WeightClip("deviations", 1.0),
        input_range="batch",
        input_bits=6,
    )
    x, model = torch.rand(4, 1, 8, 8), network()
    aware = hardware_aware(model, settings)
    model(x)
    twin, loaded = copy.deepcopy(model), network()
    hardware_aware(loaded, settings)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    loaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    expected = model(x)
    assert torch.equal(twin(x), expected)
    assert torch.equal(loaded(x), expected)
    aware.remove()  # and the twin is still what it was
    assert not torch.equal(twin(x), twin(x))
    Aware(twin).remove()
    assert torch.equal(twin[4].weight, model[4].weight)
    assert type(twin[4]) is nn.Linear


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    settings = HardwareAware(
        noise=WeightNoise("programming", programming="charan-2020"), clip=WeightClip("deviations", 2.0),
        input_range="learned", input_bits=6,
    )  # fmt: skip
    data, weights = load("digits").first(200), []
    for folder, parts in (("whole", (2,)), ("parts", (1, 2))):
        for epochs in parts:
            model = network()
            hardware_aware(model, settings).calibrate([data.train_x[:50]])
            optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
            fit(model, data, epochs=epochs, optimizer=optimizer, out=tmp_path / folder, progress=False)
        weights.append(Aware(model).remove()[4].weight)
    assert torch.equal(*weights)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_convolutions_of_all_dimensions(dimensions: int) -> None:
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    layer = kind(4, 6, 3, groups=2)
    hardware_aware(layer, HardwareAware(noise=WeightNoise("additive", sigma=0.1, per="output"), weight_bits=4))
    out = layer(torch.rand(2, 4, *[5] * dimensions))
    out.sum().backward()
    assert layer.parametrizations.weight.original.grad is not None


def test_excluded_layers_stay_as_they_are() -> None:
    model = network()
    aware = hardware_aware(model, HardwareAware(), exclude="4")
    assert list(aware.layers) == ["0"]
    assert type(model[4]) is nn.Linear
    with pytest.raises(ConfigError, match=r"'fc\*' matches no layer; valid names: 0, 4"):
        hardware_aware(network(), HardwareAware(), exclude=["fc*"])


def test_models_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConversionError, match="no Linear or Conv layer"):
        hardware_aware(nn.ReLU(), HardwareAware())
    model = network()
    hardware_aware(model, HardwareAware())
    with pytest.raises(ConversionError, match="training already"):
        hardware_aware(model, HardwareAware())
    Aware(model).remove()
    with pytest.raises(ConversionError, match="in no hardware-aware training"):
        Aware(model)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"noise.sigma": 0.1}, "sigma: is above 0 with model"),
        ({"noise.model": "additive"}, "sigma: is above 0 with model"),
        ({"noise.drop": 1.0}, "from 0 to below 1"),
        ({"noise.model": "programming"}, "goes with model"),
        ({"clip.bound": 1.0}, "bound: is above 0 with kind"),
        ({"input_bits": 4}, "is what the steps of input_bits divide"),
        ({"output_bits": 1, "output_range": 1.0}, "from 2 to 20"),
        ({"input_range": -1.0}, "is above 0, found -1"),
        ({"input_range": "learnt"}, "learned"),
        ({"nois.sigma": 0.1}, r"nois\.sigma: no such setting"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        HardwareAware().with_(changes)


def test_a_model_in_training_is_not_converted_behind_its_back() -> None:
    model = network()
    hardware_aware(model, HardwareAware(), exclude="0")
    with pytest.raises(ConversionError, match=r"layer '4' has a parametrized weight.*Aware\(model\)\.remove\(\)"):
        mho.convert_to_analog(model, mho.AnalogConfig())
    mho.convert_to_analog(model, mho.AnalogConfig(), exclude="4")
    Aware(model).remove()
    mho.convert_to_analog(model, mho.AnalogConfig())


def test_programming_is_a_preset_by_name_or_changes_of_it() -> None:
    asked = {"noise.model": "programming", "noise.programming": "charan-2020"}
    found = HardwareAware().with_(asked).noise.programming
    assert isinstance(found, Programming)
    assert found == WeightNoise("programming", programming="charan-2020").programming
    changed = HardwareAware().with_(asked).with_({"programming.conductances.levels": 4}).noise.programming
    assert isinstance(changed, Programming)
    assert (changed.conductances.levels, changed.faults) == (4, found.faults)
    with pytest.raises(ConfigError, match=r"no programming preset 'charan'.*did you mean 'charan-2020'"):
        HardwareAware().with_({"noise.programming": "charan"})


def test_training_with_noise_keeps_more_accuracy_on_chips_never_seen() -> None:
    """What it is all for, on a small scale: the same steps with and without noise, then both under weight noise."""
    data, kept = load("digits"), []
    for noise, clip in (
        (WeightNoise(), WeightClip()),
        (WeightNoise("additive", sigma=0.25), WeightClip("deviations", 2.0)),
    ):
        torch.manual_seed(2)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        aware = hardware_aware(model, HardwareAware(noise=noise, clip=clip))
        fit(model, data, epochs=12, optimizer=torch.optim.Adam(model.parameters(), lr=0.003), progress=False)
        aware.remove()
        tested = hardware_aware(
            model, HardwareAware(noise=WeightNoise("additive", sigma=0.25), noise_in_eval=True), seed=99
        )
        model.eval()
        with torch.no_grad():
            hits = [(model(data.test_x).argmax(1) == data.test_y).float().mean() for _ in range(20)]
        tested.remove()
        kept.append(100 * float(torch.stack(hits).mean()))
    assert kept[1] > kept[0] + 3
