"""The settings of a whole training run: network, data, schedule, chips and the analog layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

from mho.config.analog import AnalogConfig, bad_length
from mho.config.changes import changed
from mho.config.paths import absolute
from mho.config.places import Precision, wrong_places
from mho.config.presets import preset
from mho.config.problems import Problems
from mho.config.show import show
from mho.config.values import MISSING, Reader, convert_fields
from mho.devices.spread import PerChip, numbers
from mho.errors import ConfigError, nearest
from mho.update.shift_settings import ZeroShift, unshiftable

NETWORKS = ("fcn", "fcn-250-125", "lenet")
DATA = ("mnist", "fashion-mnist", "mnist-22x24", "digits", "cifar10")

DEFAULT_PRESET = "gokmen-2017"
NO_PRESET = "none"
MAX_CHIPS = 2**16


@dataclass(frozen=True)
class LrSchedule:
    """A learning rate that falls in steps: times `factor` at the start of each of `epochs`, counted from 0.

    Without epochs it is constant; in a file that is also written `lr_schedule = "constant"`.
    """

    epochs: tuple[int, ...] = ()
    factor: float = 0.5

    def __post_init__(self) -> None:
        convert_fields(self)
        if list(self.epochs) != sorted(set(self.epochs)) or any(e < 1 for e in self.epochs):
            raise ConfigError(f"epochs must rise and be at least 1, found {list(self.epochs)}")
        if not self.factor > 0:
            raise ConfigError(f"factor must be above 0, found {self.factor}")

    def at(self, epoch: int) -> float:
        """Return what the learning rate is multiplied by in an epoch, counted from 0."""
        return float(self.factor ** sum(epoch >= e for e in self.epochs))


@dataclass(frozen=True, repr=False)
class RunConfig:
    """What `mho train` does, complete. The loss is always the sum over the batch, so that is no setting.

    preset: name of the preset that `analog` was made from, for information; "none" when from none.
    network: a name, or path/to/file.py:function. data: a name, or the path of a folder or archive. Paths are
        made absolute, so that a saved configuration runs from anywhere.
    train_images: train on the first so many images only, or on all where there are fewer; None for all.
    lr: learning rate of the summed loss; a list is one per chip. lr_schedule: how it falls.
    chips: how many, or a list of which ones ([7] is chip 7 alone). seed: 0 to 2^64 - 1.
    vary: what differs between chips besides their devices: "init" (weights), "order" (of the data).
    threads: of torch and of the kernels; None leaves torch's own choice. backend: of the kernels.
    compute_device: where the run is computed: "cpu", "cuda" (the current GPU), "cuda:1", or "auto": the current GPU
        where mho can compute on it, else the CPU. The memory device of a weight is `analog.device`.
    precision: of the analog products on a GPU: "float32", or faster "tf32" or "bf16" (inputs and weights are rounded
        to 11 or 8 significant bits, sums are not). The CPU's are float32.
    cuda_graphs: on a GPU, launch whole steps as CUDA graphs where the learning rule allows it (the same numbers,
        sooner).
    zero_shift: how devices are calibrated before training (`mho.zero_shift`), or None.
    Raises ConfigError, with everything that is wrong.
    """

    preset: str = ""
    network: str = "fcn"
    data: str = "mnist"
    train_images: int | None = None
    epochs: int = 5
    batch_size: int = 10
    lr: PerChip = 0.01
    lr_schedule: LrSchedule = field(default_factory=LrSchedule)
    chips: int | tuple[int, ...] = 1
    seed: int = 0
    vary: tuple[Literal["init", "order"], ...] = ()
    threads: int | None = None
    backend: Literal["auto", "reference", "cpu", "gpu"] = "auto"
    compute_device: str = "cpu"
    precision: Precision = "float32"
    cuda_graphs: bool = True
    zero_shift: ZeroShift | None = None
    analog: AnalogConfig = field(default=cast(AnalogConfig, None))  # set below, so that readers need no None

    def __post_init__(self) -> None:
        given: Any = self.analog
        if given is None:
            object.__setattr__(self, "preset", self.preset or DEFAULT_PRESET)
            made = AnalogConfig() if self.preset == NO_PRESET else preset(self.preset)
            object.__setattr__(self, "analog", made)
        object.__setattr__(self, "preset", self.preset or NO_PRESET)
        convert_fields(self)
        if self.data not in DATA and is_path(self.data):
            object.__setattr__(self, "data", absolute(self.data))
        if self.network.rpartition(":")[0].endswith(".py"):
            object.__setattr__(self, "network", absolute(self.network))
        problems = Problems()
        for name, text in self._problems():
            problems.add(name, text)
        try:
            if not self._wrong_chips():
                self.analog.check_chips(self.n_chips)
        except ConfigError as error:
            problems.take("analog", error)
        problems.check()

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.network not in NETWORKS and ":" not in self.network:
            yield "network", f"there is no network {self.network!r}; {nearest(self.network, NETWORKS)}"
        if self.data not in DATA and not is_path(self.data):
            yield "data", f"neither a data set nor a path: {self.data!r}; {nearest(self.data, DATA)}"
        for name, least in (("epochs", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                yield name, f"must be at least {least}, found {getattr(self, name)}"
        if self.train_images is not None and self.train_images < 1:
            yield "train_images", f'must be at least 1, or "none" for all images, found {self.train_images}'
        if not numbers(self.lr) or any(v <= 0 for v in numbers(self.lr)):
            yield "lr", f"the learning rate must be above 0, found {self.lr}"
        if wrong_chips := self._wrong_chips():
            yield "chips", wrong_chips
        elif len(numbers(self.lr)) not in (1, self.n_chips):
            yield "lr", bad_length(len(numbers(self.lr)), self.n_chips)
        if self.zero_shift is not None and not wrong_chips:
            for name, length in self.zero_shift.wrong_lengths(self.n_chips):
                yield f"zero_shift.{name}", bad_length(length, self.n_chips)
        if self.zero_shift is not None and self.zero_shift.shifts:
            reasons = [unshiftable(cell, f"analog.{path}") for path, cell in self.analog.arrays()]
            yield from (("zero_shift", f"was asked for, but the layout {why}") for why in reasons if why)
        if not 0 <= self.seed < 2**64:
            yield "seed", f"must be from 0 to 2^64 - 1, found {self.seed}"
        if len(set(self.vary)) < len(self.vary):
            yield "vary", f"names something twice: {list(self.vary)}"
        if self.threads is not None and self.threads < 1:
            yield "threads", f'must be at least 1, or "none" for torch\'s own choice, found {self.threads}'
        yield from wrong_places(self.compute_device, self.backend, self.precision)

    def _wrong_chips(self) -> str:
        if isinstance(self.chips, int):
            if 1 <= self.chips <= MAX_CHIPS:
                return ""
            return f"from 1 to {MAX_CHIPS} chips, or a list of which ones such as [7], found {self.chips}"
        distinct = len(set(self.chips)) == len(self.chips) > 0
        if distinct and min(self.chips) >= 0 and max(self.chips) < 2**32:
            return ""
        return f"a list names different chips from 0 to 2^32 - 1, found {list(self.chips[:9])}"

    @property
    def n_chips(self) -> int:
        """How many chips there are."""
        return self.chips if isinstance(self.chips, int) else len(self.chips)

    @property
    def chip_ids(self) -> tuple[int, ...]:
        """The numbers of the chips: 0 to n-1, or those listed."""
        return self.chips if isinstance(self.chips, tuple) else tuple(range(self.chips))

    def with_(self, changes: Mapping[str, Any] | None = None, /, **named: Any) -> Self:
        """Return a changed copy; see `AnalogConfig.with_`; `analog.` may be left out of names."""
        return changed(self, {**(changes or {}), **named})

    def __repr__(self) -> str:
        return show(self)

    readers: ClassVar[dict[str, Any]]


def is_path(name: str) -> bool:
    """Return whether a text is meant as a path: it has a separator, or is the name of something here."""
    try:
        return "/" in name or "\\" in name or Path(name).exists()
    except (OSError, ValueError):
        return False


def _read_schedule(reader: Reader, value: Any, path: str, base: Any) -> Any:
    return LrSchedule() if value == "constant" else reader.read(LrSchedule, value, path, base)


def _refuse_preset(reader: Reader, value: Any, path: str, base: Any) -> Any:
    """Refuse to rename what a configuration was made from; the same name changes nothing."""
    if value != base:
        reader.problems.add(path, "a preset is the start, not a change: name it as in mho train PRESET")
    return MISSING


RunConfig.readers = {"lr_schedule": _read_schedule, "preset": _refuse_preset}
