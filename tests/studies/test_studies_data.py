"""Studies as data: ladders that say what they do, numbers with provenance, recalled ones never targets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mho.config import RunConfig, preset
from mho.errors import ConfigError
from mho.studies import Reference, Study, studies, study
from mho.studies.base import TAGS
from mho.studies.outcome import Outcome
from mho.studies.results import rows, table

ALL = pytest.mark.parametrize("one", [s for s in studies() if isinstance(s, Study)], ids=lambda s: s.name)
LADDERS = pytest.mark.parametrize("one", [study("gokmen-2016"), study("gokmen-2017")], ids=lambda s: s.name)


def outcome(one: Study, case: int, accuracy: list[float], mode: str = "quick") -> Outcome:
    return Outcome(one.cases[case], one.config(one.cases[case], mode, 0), accuracy, [])


@ALL
def test_every_case_is_a_valid_run_of_its_own(one: Study) -> None:
    for mode in ("quick", "full"):
        configs = [one.config(case, mode, seed=3) for case in one.cases]
        assert len({repr((c.analog, c.zero_shift, c.data, c.lr_schedule)) for c in configs}) == len(configs)
        own = {
            "preset": "none",
            "analog": RunConfig().analog,
            "zero_shift": None,
            "chips": 1,
            "lr": 1.0,
            "data": "mnist",
            "lr_schedule": configs[0].lr_schedule,
        }
        assert len({repr(replace(c, **own)) for c in configs}) == 1  # type: ignore[arg-type]
        assert {(c.seed, c.vary, c.network) for c in configs} == {(3, ("init",), one.network)}
        assert [c.data for c in configs] == [one.data_of(case) for case in one.cases]
        assert all(one.config(one.baseline_of(case), mode, 0).analog == preset("ideal") for case in one.cases)
    assert len({case.name for case in one.cases}) == len(one.cases)


@LADDERS
def test_the_ladder_starts_ideal_and_adds_one_technique_after_another(one: Study) -> None:
    analog = {case.name: one.config(case, "quick", 0).analog for case in one.cases}
    assert analog["digital baseline"] == preset("ideal")
    bare = analog["all non-idealities"]
    assert bare == preset("gokmen-vlasov-2016")
    noise = bare.with_({"forward.noise_management": "max-abs", "backward.noise_management": "max-abs"})
    assert analog["+ noise management"] == noise
    bound = noise.with_({"forward.bound_management": "iterative"})
    assert analog["+ bound management"] == bound
    assert bound.backward.bound_management == "none"
    assert analog["+ update management"] == bound.with_({"update.update_management": True})
    assert analog["+ BL management"] == preset("gokmen-2017")


def test_several_devices_are_on_the_second_convolution_only() -> None:
    one = study("gokmen-2017")
    devices = {}
    for case in one.cases:
        analog = one.config(case, "full", 0).analog
        devices[case.name] = [analog.for_layer(n).cell.devices for n in ("conv1", "conv2", "fc1", "fc2")]
    assert devices["everything on"] == devices["NM, BM, 13 devices on K2"] == [1, 13, 1, 1]
    assert devices["NM, BM, 4 devices on K2"] == [1, 4, 1, 1]
    assert devices["UM with BL 1"] == [1, 1, 1, 1]
    assert one.config(one.cases[-1], "full", 0).analog.for_layer("conv2").cell.combine == "average"


def test_the_long_run_of_2016_halves_the_rate_every_ten_epochs() -> None:
    one = study("gokmen-2016")
    schedule = one.config(one.cases[0], "full", 0).lr_schedule
    assert [0.01 * schedule.at(epoch) for epoch in (0, 9, 10, 19, 20, 29)] == [
        0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025
    ]  # fmt: skip


def test_a_recalled_fact_cannot_have_a_value() -> None:
    with pytest.raises(ConfigError, match="never a target"):
        Reference("MEM", "an error of 2.0 %", 98.0)
    with pytest.raises(ConfigError, match="did you mean 'TEXT'"):
        Reference("TEX", "an error of 2.0 %")  # type: ignore[arg-type]
    assert "not verified" in str(Reference("MEM", "an error of 2.0 %"))


@ALL
def test_recalled_facts_are_shown_as_not_verified(one: Study) -> None:
    chips = [one.config(case, "quick", 0).n_chips for case in one.cases]
    outcomes = [outcome(one, k, [90.0 + c % 2 for c in range(n)]) for k, n in enumerate(chips)]
    for row in rows(one, outcomes):
        tags = [tag for tag in TAGS if f"[{tag}]" in row["provenance"]]
        assert row["provenance"].count("not verified [MEM]") == row["provenance"].count("[MEM]")
        if row["paper"] is not None:
            assert set(tags) - {"MEM"}, row
    recalled = any(not r.verified for case in one.cases for r in (*case.references, *case.penalty))
    shown = table(one, outcomes).count("[MEM]")
    assert table(one, outcomes).count("not verified [MEM]") == shown
    assert (shown > 0) == recalled


def test_rows_give_means_spreads_and_distances_chip_by_chip() -> None:
    one = study("gokmen-2016")
    found = rows(one, [outcome(one, 0, [98.0, 97.0]), outcome(one, 1, [97.5, 96.9])])
    assert [set(row) for row in found] == [{"case", "ours", "std", "chips", "paper", "provenance", "unit"}] * 3
    assert [(r["case"], r["ours"], r["std"], r["chips"]) for r in found] == [
        ("digital baseline", 97.5, 0.7071, 2),
        ("all non-idealities", 97.2, 0.4243, 2),
        ("all non-idealities, over the baseline", -0.3, 0.2828, 2),
    ]
    assert found[0]["paper"] == 98.17
    assert "[TEXT]" in found[0]["provenance"]
    assert found[2]["paper"] == -0.3
    assert found[2]["unit"] == "points of test accuracy"


def test_numbers_of_mnist_are_not_put_beside_other_data() -> None:
    one = study("gokmen-2016")
    config = one.config(one.cases[0], "quick", 0, ["data=digits"])
    (row,) = rows(one, [Outcome(one.cases[0], config, [90.0], [])])
    assert (row["paper"], row["provenance"], row["std"]) == (None, "no published number known", 0.0)


def test_unknown_studies_modes_cases_and_settings_are_named() -> None:
    one = study("gokmen-2016")
    with pytest.raises(ConfigError, match="did you mean 'gokmen-201"):
        study("gokmen-2018")
    with pytest.raises(ConfigError, match="no mode 'fast'"):
        one.config(one.cases[0], "fast", 0)
    with pytest.raises(ConfigError, match="did you mean 'BL 1'"):
        one.choose(["BL 2"])
    with pytest.raises(ConfigError, match="epochs"):
        one.config(one.cases[0], "quick", 0, ["epoch=3"])
