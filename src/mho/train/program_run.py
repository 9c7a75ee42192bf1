"""The weights of a run on many inference chips: programmed, aged, evaluated at one time after another."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mho.config import RunConfig, load
from mho.config.analog import bad_length, lists_over_chips
from mho.config.places import wrong_places
from mho.data import Dataset
from mho.data import load as load_data
from mho.errors import ConfigError, SettingsError
from mho.folders import check_writable, write_text
from mho.inference.evaluation import Images, evaluate
from mho.inference.files import save_programming
from mho.inference.over_time import Moment, accuracy_over_time
from mho.inference.programming import program
from mho.inference.settings import Programming
from mho.inference.times import Time, read_times
from mho.kernels.gpu.machine import about_gpu
from mho.nn import convert_to_digital, set_precision
from mho.nn.layer import chip_ids
from mho.report.program import Outcome, write_program_report
from mho.report.words import plural
from mho.train.batches import Batches, data_bytes
from mho.train.deploy import deployed
from mho.train.memory import check_fits
from mho.train.program_progress import Silent, reporter
from mho.train.program_source import place_of, run_of, trained_model
from mho.train.summary import versions
from mho.train.where import chosen, computing

RESULTS, SETTINGS = "programmed.json", "programming.toml"
TIMES = read_times("1s,1h,1d,1y,10y")
WRITTEN = "as written"
DIGITAL_SAMPLES = 500


@dataclass(frozen=True)
class Asked:
    """What is to be done with the weights of a run.

    times: after programming. chips: how many, or which. chip: of the run, whose weights are taken; None for its first.
    seed: of the inference chips; None for that of the run. images: of the test set, the first so many; None for all.
    layers: changes of the layers' settings, such as "forward.adc_bits=6". fault_map: a file of stuck devices, as
    `mho.program` takes it. compute_device, precision: where the chips are computed, as for a run. Raises ConfigError
    for what cannot be.
    """

    programming: Programming = field(default_factory=Programming)
    times: tuple[Time, ...] = TIMES
    chips: int | tuple[int, ...] = 50
    chip: int | None = None
    seed: int | None = None
    images: int | None = None
    layers: tuple[str, ...] = ()
    fault_map: Path | None = None
    compute_device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self) -> None:
        if wrong := list(wrong_places(self.compute_device, "auto", self.precision)):
            raise SettingsError(wrong)
        read_times([t.text for t in self.times])
        chips = len(chip_ids(self.chips))
        lists = [(path, n) for path, n in lists_over_chips(self.programming, "") if n not in (1, chips)]
        if lists:
            raise SettingsError([(path, bad_length(n, chips)) for path, n in lists])
        if self.images is not None and self.images < 1:
            raise ConfigError(
                f"accuracy is measured on at least 1 test image, found {self.images}; leave it out for all"
            )
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise ConfigError(f"seed is from 0 to 2^64 - 1, found {self.seed}; leave it out for that of the run")


def program_run(
    checkpoint: str | os.PathLike[str], asked: Asked | None = None, *, out: str | os.PathLike[str],
    report: bool = True, progress: bool | str = True, data: Dataset | None = None,
) -> Outcome:  # fmt: skip
    """Program the weights of a trained run on inference chips, and evaluate all of these at one time after another.

    checkpoint: a run directory of `mho train`, or its checkpoint. out: a directory to make (it must be empty), for
    programming.toml, programmed.json (written after every time), and with `report` a page and a picture. progress: a
    bar on a terminal and lines elsewhere, "plain" for lines, False for nothing. data: used instead of the run's.

    Raises CheckpointError for a checkpoint that is missing, damaged, or does not fit the layers of the run, naming
    them; ConfigError for what is asked and cannot be; GpuMemoryError, with how many chips would fit; DataError.
    """
    asked, folder, run = asked or Asked(), Path(out), run_of(checkpoint)
    device = chosen(asked.compute_device, asked.precision)
    config = load(run / "config.toml")
    place = place_of(config, asked.chip)
    _check_new(folder)
    with _shown(progress, len(asked.times) + 2) as shown:
        data = data or load_data(config.data, progress=bool(progress))
        if asked.images is not None and asked.images > len(data.test_labels):
            raise ConfigError(
                f"accuracy was asked for on the first {asked.images} test images, but {data.name} has "
                f"{len(data.test_labels)}; ask for fewer, or leave it out for all"
            )
        with computing(device, len(chip_ids(asked.chips)), asked.precision):
            outcome = _work(run, config, asked, folder, _Where(data, place, device), shown=shown)
        if report:
            shown.phase("writing the report")
            write_program_report(folder, outcome)
    return outcome


@dataclass(frozen=True)
class _Where:
    """The data, the place of the programmed chip among those of the run, and where to compute."""

    data: Dataset
    place: int
    device: torch.device

    def moved(self, model: nn.Module, chips: int, precision: str) -> nn.Module:
        """Return a model of `chips` where it is to be computed; raise GpuMemoryError where it does not fit."""
        if self.device.type == "cuda":
            check_fits(model, self.device, chips, step=0.0, shared=data_bytes(self.data))
            model.to(self.device)
        if precision != "float32":
            set_precision(model, precision)
        return model

    def images(self, count: int | None) -> Images | tuple[Tensor, Tensor]:
        """Return the test images, or the first `count`, where the chips are computed."""
        found = Batches(self.data, self.device)
        return found.batch(slice(0, count), split="test") if count else found


def _work(run: Path, config: RunConfig, asked: Asked, folder: Path, where: _Where, *, shown: Silent) -> Outcome:
    start, place = time.perf_counter(), where.place
    shown.phase("reading the checkpoint")
    trained = trained_model(run, config, where.data)
    seed = config.seed if asked.seed is None else asked.seed
    model = deployed(trained, place, chips=chip_ids(asked.chips), seed=seed, settings=asked.layers)
    chips = chip_ids(asked.chips)
    model = where.moved(model, len(chips), asked.precision)
    folder.mkdir(parents=True, exist_ok=True)
    save_programming(asked.programming, folder / SETTINGS)
    images = where.images(asked.images)
    shown.phase("evaluating the digital network")
    plain = convert_to_digital(trained, place).to(where.device)
    (digital,) = evaluate(plain, images, progress=shown.told, samples=DIGITAL_SAMPLES)
    shown.phase(f"programming {len(chips)} chip(s)")
    report = program(model, asked.programming, fault_map=asked.fault_map)
    shown.phase(f"evaluating {len(chips)} chip(s)")
    written = Moment(WRITTEN, 0.0, tuple(evaluate(model, images, progress=shown.told)))
    shown.reached(written)
    outcome = Outcome(
        _title(config, len(chips)), chips, digital, written, (), asked.programming, report,
        _about(run, config, place, seed, asked) | _computed(where.device, asked), _command(run, folder, asked), 0.0,
    )  # fmt: skip

    def reached(moment: Moment) -> None:
        nonlocal outcome
        outcome = replace(outcome, moments=(*outcome.moments, moment), seconds=time.perf_counter() - start)
        write_text(folder / RESULTS, _json(outcome, finished=len(outcome.moments) == len(asked.times)))
        shown.reached(moment)

    accuracy_over_time(model, images, asked.times, progress=shown.told, reached=reached)
    return outcome


@contextmanager
def _shown(progress: bool | str, passes: int) -> Iterator[Silent]:
    shown = reporter(progress, passes)
    try:
        yield shown
    finally:
        shown.close()


def _check_new(folder: Path) -> None:
    """Raise ConfigError unless the directory is empty or does not exist, and can be written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{folder} is not an empty directory, and results do not write over anything; give another --out"
        )
    check_writable(folder)


def _title(config: RunConfig, chips: int) -> str:
    network = config.network if "/" not in config.network else Path(config.network.rpartition(":")[0]).stem
    return f"{network} on {Path(config.data).stem}, programmed on {plural(chips, 'chip')}"


def _about(run: Path, config: RunConfig, place: int, seed: int, asked: Asked) -> dict[str, str]:
    """Return what a reader of the results wants to know beside them."""
    found = {"weights of": str(run), "chip of the run": str(config.chip_ids[place]), "seed": str(seed)}
    if asked.fault_map is not None:
        found["stuck devices"] = f"also those of {asked.fault_map}"
    found["test images"] = "all" if asked.images is None else f"the first {asked.images}"
    return found | ({"changed in the layers": ", ".join(asked.layers)} if asked.layers else {})


def _computed(device: torch.device, asked: Asked) -> dict[str, str]:
    """Return what a reader wants to know of the GPU that computed, nothing for the CPU."""
    if device.type == "cpu":
        return {}
    gpu = about_gpu(device)
    return {"computed on": f"{gpu.pop('name')} ({', '.join(f'{k} {v}' for k, v in gpu.items())}), {asked.precision}"}


def _command(run: Path, folder: Path, asked: Asked) -> str:
    """Return the command that does the same again."""
    chips = str(asked.chips) if isinstance(asked.chips, int) else f"[{','.join(map(str, asked.chips))}]"
    words = ["mho", "program", str(run), "--programming", str(folder / SETTINGS), "--chips", chips]
    words += ["--times", ",".join(t.text for t in asked.times)]
    more: dict[str, Any] = {"--chip": asked.chip, "--seed": asked.seed, "--test-images": asked.images}
    more["--fault-map"] = asked.fault_map
    if asked.compute_device != "cpu":
        more |= {"--device": asked.compute_device, "--precision": asked.precision}
    for option, value in more.items():
        words += [] if value is None else [option, str(value)]
    words += [word for setting in asked.layers for word in ("--set", setting)]
    return f"{shlex.join(words)} --report --out NEW"


def _json(outcome: Outcome, *, finished: bool) -> str:
    def moment(m: Moment) -> dict[str, Any]:
        worst = {"worst": m.worst, "worst_chip": outcome.chips[m.worst_place]}
        return {
            "time": m.name,
            "seconds": m.seconds,
            "mean": m.mean,
            "std": m.std,
            **worst,
            "test_accuracy": m.accuracy,
        }

    layers = [
        {key: value if isinstance(value, (str, int)) else value.tolist() for key, value in vars(layer).items()}
        for layer in outcome.report.layers
    ]
    told = {
        "finished": finished, "chips": outcome.chips, "digital": outcome.digital, "written": moment(outcome.written),
        "times": [moment(m) for m in outcome.moments], "layers": layers, "about": outcome.about,
        "command": outcome.command, "seconds": round(outcome.seconds, 2), "threads": torch.get_num_threads(),
        "versions": versions(),
    }  # fmt: skip
    return json.dumps(told, indent=1, allow_nan=False) + "\n"
