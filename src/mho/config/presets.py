"""Presets: whole configurations as rows of data, each with where it was read."""

from __future__ import annotations

from dataclasses import dataclass

from mho.config.analog import AnalogConfig
from mho.devices import ConstantStep, Spread, catalogue
from mho.errors import by_name
from mho.mapping.settings import Mapping
from mho.periphery.settings import Periphery
from mho.update.settings import Update


@dataclass(frozen=True)
class Preset:
    """One named configuration with its source."""

    name: str
    config: AnalogConfig
    description: str
    source: str


# The arrays of the papers are 4096 x 4096 (recalled, not verified), so none of their layers is split.
PAPER_ARRAYS = Mapping(max_rows=4096, max_columns=4096, bias="array")

ROWS = (
    Preset(
        "gokmen-2017",
        AnalogConfig(
            device=catalogue.device("gokmen-vlasov-2016"),
            forward=Periphery(
                noise_management="max-abs", bound_management="iterative",
                dac_bits=7, adc_bits=9, output_noise=0.06, output_bound=12.0,
            ),
            update=Update(bl=31, bl_management=True, update_management=True),
            mapping=PAPER_ARRAYS,
        ),
        "The 2016 device with noise, bound and update management; pulse trains of up to 31 slots as needed.",
        "Gokmen, Onen & Haensch, Front. Neurosci. 11:538 (2017)",
    ),
    Preset(
        "gokmen-vlasov-2016",
        AnalogConfig(
            device=catalogue.device("gokmen-vlasov-2016"),
            forward=Periphery(
                noise_management="none", bound_management="none",
                dac_bits=7, adc_bits=9, output_noise=0.06, output_bound=12.0,
            ),
            update=Update(bl=10, bl_management=False, update_management=False),
            mapping=PAPER_ARRAYS,
        ),
        "Constant steps, 30 % spreads, pulse trains of 10 slots, no management at all.",
        "Gokmen & Vlasov, Front. Neurosci. 10:333 (2016)",
    ),
    Preset(
        "aihwkit-gokmen-vlasov",
        AnalogConfig(
            device=catalogue.device("aihwkit-gokmen-vlasov"),
            forward=Periphery(
                noise_management="max-abs", bound_management="iterative",
                dac_bits=7, adc_bits=9, output_noise=0.1, output_bound=20.0,
            ),
            update=Update(bl=31, bl_management=True, update_management=True),
            mapping=Mapping(bias="digital"),
        ),
        "The kit's rescaled version: bounds +-1, output noise 0.1, output bound 20, digital bias.",
        "IBM aihwkit 1.2, GokmenVlasovPreset and its default mapping",
    ),
    Preset(
        "ideal",
        AnalogConfig(
            # Bounds that no weight meets, since the ideal update keeps to the bounds of the device.
            device=ConstantStep(
                dw_min=Spread(0.001), up_down=Spread(1.0), w_max=Spread(100.0), w_min=Spread(-100.0), c2c=0.0
            ),
            forward=Periphery(ideal=True),
            update=Update(trains="ideal"),
            mapping=PAPER_ARRAYS,
        ),
        "Exact products and exact updates: digital SGD on the same code path, the baseline of a study.",
        "mho",
    ),
)  # fmt: skip


def presets() -> tuple[Preset, ...]:
    """Return all presets."""
    return ROWS


def preset(name: str) -> AnalogConfig:
    """Return the configuration of a preset; raise ConfigError with the nearest names when there is none."""
    return by_name(ROWS, name, "preset").config
