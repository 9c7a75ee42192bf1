"""Zero-shifting as a setting of a run: before the first epoch, once, and part of what a run keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mho.config import RunConfig, dump, loads, override
from mho.devices import ConstantStep, Spread
from mho.errors import ConfigError, MhoError
from mho.report.rundir import read_run
from mho.report.shifted import shifted as shifted_words
from mho.train import train
from train.runs import bytes_of, small, without_times

SHIFT = ['device="soft-bounds"', "device.up_down=2", "zero_shift.pulses=[200, 100]", "zero_shift.copy_error=0.01"]


def shifted(**changes: object) -> RunConfig:
    return override(small(chips=2, **changes), [*SHIFT, 'zero_shift.method=["pulses", "none"]'])


def test_a_run_shifts_its_devices_before_the_first_epoch(tmp_path: Path) -> None:
    result = train(shifted(epochs=0), out=tmp_path / "run", progress=False)
    tile = result.model.get_submodule("fc1").analog_tiles()[0]  # type: ignore[operator]
    assert tile.counts.amax((1, 2, 3)).tolist() == [200, 0]
    assert tile.reference[0].any()
    assert not tile.reference[1].any()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["zero_shift"]["fc1"]["pulses"] == [200, 0]
    assert -0.2 < summary["zero_shift"]["fc1"]["residual"][0] < -0.05
    said = shifted_words(read_run(tmp_path / "run"))
    assert "given references at their symmetry points" in said
    assert said.count("(1 of 2 chips)") == 3
    assert "zero_shift" not in train(small(epochs=0), progress=False).summary


def test_a_report_does_not_compare_with_points_that_do_not_exist(tmp_path: Path) -> None:
    device = ConstantStep(up_down=Spread(3.0))
    train(shifted(epochs=0).with_({"analog.device": device}), out=tmp_path / "run", progress=False)
    said = shifted_words(read_run(tmp_path / "run"))
    assert said.count("no device has a symmetry point, ") == 3
    assert "±" not in said.partition("written back:")[2]


def test_a_resumed_run_equals_one_that_never_stopped(tmp_path: Path) -> None:
    train(shifted(epochs=2), out=tmp_path / "whole", progress=False)
    train(shifted(epochs=1), out=tmp_path / "cut", progress=False)
    train(shifted(epochs=2), resume=tmp_path / "cut", progress=False)
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
    assert without_times(tmp_path / "cut") == without_times(tmp_path / "whole")
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("cut", "whole")]
    assert summaries[0]["zero_shift"] == summaries[1]["zero_shift"]


def test_a_run_killed_before_its_first_epoch_ended_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mho.train.loop import Trainer

    train(shifted(epochs=1), out=tmp_path / "whole", progress=False)
    with monkeypatch.context() as patch:

        def stop(*_: object) -> None:
            raise MhoError("killed")

        patch.setattr(Trainer, "run_epoch", stop)
        with pytest.raises(MhoError, match="killed"):
            train(shifted(epochs=1), out=tmp_path / "cut", progress=False)
    train(resume=tmp_path / "cut", progress=False)
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")


def test_settings_survive_toml_and_are_checked() -> None:
    config = shifted()
    assert loads(dump(config)) == config
    assert loads(dump(small())).zero_shift is None
    assert loads('[zero_shift]\nmethod = "exact"\n').zero_shift.method == "exact"  # type: ignore[union-attr]
    assert override(config, ["zero_shift=none"]).zero_shift is None
    with pytest.raises(ConfigError, match=r"zero_shift\.pulses: lists 3 values for chips, but chips is 2"):
        override(config, ["zero_shift.pulses=[2, 4, 6]"])
    with pytest.raises(ConfigError, match="did you mean 'method'"):
        override(config, ["zero_shift.methd=exact"])
    with pytest.raises(ConfigError, match=r"zero_shift.*even"):
        override(config, ["zero_shift.pulses=3"])


def test_a_run_that_cannot_be_shifted_writes_nothing(tmp_path: Path) -> None:
    config = small(preset="ideal", zero_shift=shifted().zero_shift, chips=2)
    with pytest.raises(ConfigError, match=r"update\.trains"):
        train(config, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_the_same_noise_trains_shifted_and_other_chips(tmp_path: Path) -> None:
    plain = override(small(chips=2), SHIFT[:2])
    accuracy = train(plain, progress=False).metrics[-1]
    mixed = train(shifted(), progress=False).metrics[-1]
    assert (
        mixed["test_loss"][1] == accuracy["test_loss"][1]
    )  # chip 1 is not shifted, and does not notice that chip 0 is
    assert mixed["test_loss"][0] != accuracy["test_loss"][0]
