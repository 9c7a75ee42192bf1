"""Arms as chips of one run: what each holds, and that a chip among others is the arm alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mho.ablation import Options, plan
from mho.ablation.arms import CONFIGURED, NONE, Batch
from mho.ablation.packed import packed
from mho.characterize.subject import config_of
from mho.config import RunConfig, dump, preset
from mho.config.toml import loads
from mho.data import load
from mho.devices import SoftBounds, Spread, catalogue
from mho.devices.base import Faults, Leak
from mho.errors import ConfigError
from mho.periphery.settings import Periphery
from mho.train import Trainer

TINY = f"{Path(__file__).with_name('networks.py')}:tiny"
EVERYTHING = SoftBounds(
    up_down=Spread(1.3, d2d=0.02), write_noise=0.5, leak=Leak(lifetime=Spread(300.0, d2d=0.2)), diffusion=1e-4,
    faults=Faults(dead=0.05, stuck=0.05),
)  # fmt: skip
NOISY = Periphery(output_noise=0.1, weight_noise=0.02, input_noise=0.02, noise_management="none", output_bound=3.0)


def full() -> RunConfig:
    """Return a small run in which everything is on."""
    analog = replace(preset("gokmen-2017"), device=EVERYTHING, forward=NOISY, backward=NOISY)
    return RunConfig(analog=analog, data="digits", network=TINY, train_images=80, epochs=1, threads=1)


def test_arms_of_the_default_preset() -> None:
    made = plan(RunConfig(), Options(2))
    assert len(made.arms) == 24
    assert len(made.batches) == 1
    kinds = [arm.config.update.trains for arm in made.arms]
    assert kinds == ["stochastic"] * kinds.count("stochastic") + ["mean"] * kinds.count("mean")  # neighbours
    config = made.batches[0].config(made.config)
    assert config.n_chips == 48
    assert len(set(config.chip_ids)) == 48
    assert loads(dump(config)) == config


def test_what_each_arm_has_on() -> None:
    made = plan(RunConfig())
    by_name = {arm.name: arm for arm in made.arms}
    assert by_name[CONFIGURED].config == preset("gokmen-2017")
    off = by_name["d2d of w_max off"].config.device
    assert off == replace(preset("gokmen-2017").device, w_max=replace(off.w_max, d2d=0.0))  # type: ignore[attr-defined, call-arg]
    alone = by_name["d2d of w_max alone"]
    assert alone.against == "bounds alone"
    assert alone.config.device.w_max == preset("gokmen-2017").device.w_max
    assert by_name["granularity alone"].config.update.trains == "stochastic"
    assert by_name["granularity alone"].config.forward.adc_bits is None
    assert by_name["ADC alone"].against == NONE
    assert by_name["ADC alone"].config.device.c2c == 0.0


def test_correlations_take_a_run_of_their_own() -> None:
    device = SoftBounds(correlations=(("dw_min", "w_max", 0.5),))
    made = plan(RunConfig().with_(device=device))
    assert [len(batch.arms) for batch in made.batches] == [len(made.arms) - 1, 1]
    assert made.batches[1].arms[0].name == "correlations off"
    assert "correlations alone" not in [arm.name for arm in made.arms]


@pytest.mark.parametrize("row", catalogue.devices(), ids=lambda row: row.name)
def test_arms_of_every_published_device_share_one_run(row: catalogue.Published) -> None:
    made = plan(RunConfig().with_(device=row.device, cell=config_of(row.device).cell), Options(1))
    assert len(made.batches) == 1
    made.batches[0].config(made.config)  # every list has the length of the chips


def test_what_no_list_over_chips_can_say_is_not_packed() -> None:
    a = preset("gokmen-2017")
    with pytest.raises(ConfigError, match="noise_management"):
        packed([a, replace(a, forward=replace(a.forward, noise_management="none"))])


def trained(config: RunConfig) -> dict[str, torch.Tensor]:
    """Return what a run of a few steps leaves in its chips."""
    trainer = Trainer(config, load("digits"))
    trainer.run_epoch()
    return {k: v for k, v in trainer.model.state_dict().items() if k.endswith((".state", ".extra_common"))}


def test_an_arm_alone_is_its_chip_among_all() -> None:
    made = plan(full(), Options(1))
    assert len(made.arms) > 30
    together = trained(made.batches[0].config(made.config))
    alike = []
    numbers = {arm.name: k for k, arm in enumerate(made.arms)}
    for name in (CONFIGURED, NONE, "granularity off", "granularity alone", "ADC alone", "leak alone", "faults off"):
        k, arm = numbers[name], made.arms[numbers[name]]
        alone = trained(Batch((arm,), ((k,),)).config(made.config))
        assert replace(made.config, chips=(k,), analog=arm.config) == Batch((arm,), ((k,),)).config(made.config)
        for key, state in alone.items():
            # Products of many chips may sum in another order: a pulse may then fall otherwise, but few do.
            moved = float(((state[0] - together[key][k]).abs() > 1e-5).float().mean())
            alike.append((moved, name, key))
    assert max(alike)[0] < 0.001, max(alike)


def test_different_arms_end_differently() -> None:
    made = plan(full(), Options(1))
    assert len({repr(arm.config) for arm in made.arms}) == len(made.arms)
    states = next(iter(trained(replace(made.config, chips=(0, 1), analog=packed([made.arms[0].config] * 2))).values()))
    assert not np.allclose(states[0], states[1])  # chips with other numbers have other devices
