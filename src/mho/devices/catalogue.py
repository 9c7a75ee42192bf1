"""Published devices as rows of data: name, parameters, source."""

from __future__ import annotations

from dataclasses import dataclass

from mho.devices.base import Device, Leak
from mho.devices.constant_step import ConstantStep
from mho.devices.linear_step import LinearStep
from mho.devices.spread import Spread
from mho.errors import ConfigError, nearest


@dataclass(frozen=True)
class Published:
    """One published device: parameters in mho's terms, where they were read, what to know before use."""

    name: str
    device: Device
    source: str
    note: str = ""


# The kit states the spread of (a+ - a-)/2 relative to dw_min; the ratio a+/a- spreads twice as much, so its
# up_down_dtod 0.01 is d2d=0.02 of mho's ratio. The spread of its slopes is absolute.
OWN_BOUND = "The kit divides the slope by the mean bound, LinearStep by each device's own, which spread by 5 to 7 %."
KIT = "IBM aihwkit 1.2 preset"

ROWS = (
    Published(
        "gokmen-vlasov-2016",
        ConstantStep(
            dw_min=Spread(0.001, d2d=0.3), up_down=Spread(1.0, d2d=0.02),
            w_max=Spread(0.6, d2d=0.3), w_min=Spread(-0.6, d2d=0.3), c2c=0.3,
        ),
        "Gokmen & Vlasov, Front. Neurosci. 10:333 (2016), baseline device",
        "1200 states between the mean bounds.",
    ),
    Published(
        "aihwkit-gokmen-vlasov",
        ConstantStep(
            dw_min=Spread(0.0016, d2d=0.3), up_down=Spread(1.0, d2d=0.02),
            w_max=Spread(1.0, d2d=0.3), w_min=Spread(-1.0, d2d=0.3), c2c=0.3,
        ),
        f"{KIT} GokmenVlasov",
        "The 2016 device rescaled to bounds of +-1; still about 1200 states.",
    ),
    Published(
        "aihwkit-idealized",
        ConstantStep(
            dw_min=Spread(0.0002, d2d=0.3), up_down=Spread(1.0),
            w_max=Spread(1.0, d2d=0.3), w_min=Spread(-1.0, d2d=0.3), c2c=0.3,
        ),
        f"{KIT} Idealized; Rasch, Gokmen & Haensch, arXiv 1906.02698 (2019)",
        "10,000 states and equal steps up and down in every device.",
    ),
    Published(
        "capacitor",
        LinearStep(
            dw_min=Spread(0.005, d2d=0.1), up_down=Spread(1.0, d2d=0.12),
            w_max=Spread(1.0, d2d=0.07), w_min=Spread(-1.0, d2d=0.07),
            gamma_up=Spread(0.05, std=0.01), gamma_down=Spread(0.05, std=0.01),
            c2c=0.3, leak=Leak(lifetime=Spread(1e6, d2d=0.3)),
        ),
        f"{KIT} Capacitor, a fit of Li et al., VLSI (2018)",
        "The kit's cycle noise is additive; at a slope of 5 % the two differ by at most 5 % of the noise. "
        f"The lifetime counts updates: adapt it to the time that an update takes. {OWN_BOUND}",
    ),
    Published(
        "ecram",
        LinearStep(
            dw_min=Spread(0.002, d2d=0.1), up_down=Spread(1.0, d2d=0.02),
            w_max=Spread(1.1724, d2d=0.05), w_min=Spread(-0.8276, d2d=0.05),
            gamma_up=Spread(0.1153, std=0.05), gamma_down=Spread(0.5085, std=0.05), c2c=0.3,
        ),
        f"{KIT} EcRam, a fit of Tang et al., IEDM (2018), lithium ECRAM",
        f"The range is shifted so that the symmetry point lies at 0. {OWN_BOUND}",
    ),
    Published(
        "ecram-mo",
        LinearStep(
            dw_min=Spread(2.8214e-4, d2d=0.1), up_down=Spread(1.0, d2d=0.02),
            w_max=Spread(1.1714, d2d=0.05), w_min=Spread(-0.8286, d2d=0.05),
            gamma_up=Spread(0.4152, std=0.05), gamma_down=Spread(0.7342, std=0.05), c2c=2.0,
        ),
        f"{KIT} EcRamMO, from data of Kim et al., IEDM (2019), metal-oxide ECRAM",
        f"The range is shifted so that the symmetry point lies at 0. {OWN_BOUND}",
    ),
)  # fmt: skip


def devices() -> tuple[Published, ...]:
    """Return all published devices."""
    return ROWS


def device(name: str) -> Device:
    """Return the published device of this name; raise ConfigError with the nearest names if there is none."""
    for row in ROWS:
        if row.name == name:
            return row.device
    raise ConfigError(f"there is no published device {name!r}; {nearest(name, [r.name for r in ROWS])}")
