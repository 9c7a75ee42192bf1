"""Published devices as rows of data: name, parameters, source and where the numbers were read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mho.devices.base import Device, Leak
from mho.devices.capacitor import Capacitor
from mho.devices.constant_step import ConstantStep
from mho.devices.exp_step import ExpStep
from mho.devices.linear_step import LinearStep
from mho.devices.phase_change import PhaseChange
from mho.devices.soft_bounds_reference import SoftBoundsReference
from mho.devices.spread import Spread
from mho.devices.unipolar_phase_change import UnipolarPhaseChange
from mho.errors import by_name


@dataclass(frozen=True)
class Published:
    """One published device: parameters in mho's terms, the paper, where its numbers were read, what to know before use.

    provenance: "KIT" read in the source of IBM aihwkit 1.2, "MEM" recalled and not checked against a source.
    """

    name: str
    device: Device
    source: str
    provenance: str = "KIT"
    note: str = ""


def kit_steps(
    dw_min: float, d2d: float, up_down: float = 0.0, up_down_d2d: float = 0.01, *, log_normal: bool = False
) -> dict[str, Any]:
    """Return `dw_min` and `up_down` of a device stated as in IBM's kit (`dw_min_dtod`, `up_down`, `up_down_dtod`).

    The kit's u = up_down shrinks one direction, and its spreads are in units of its dw_min:
    a+ = dw (g + r + min(u, 0)), a- = dw (g - r - max(u, 0)), g = 1 + d2d xi (or exp(d2d xi)), r = up_down_d2d xi'.
    mho's dw_min is the mean of both directions, m = dw (1 - abs(u)/2), and its up_down their ratio R; then
    d2d becomes d2d dw/m and the deviation of R is 2 (up_down_d2d dw/m) / (1 - beta)^2, beta = (R - 1)/(R + 1).
    Exact, but for a log-normal g with u != 0, where the kit shifts a log-normal and mho scales it.
    """
    up, down = 1 + min(up_down, 0.0), 1 - max(up_down, 0.0)
    mean, ratio = (up + down) / 2, up / down
    beta = (ratio - 1) / (ratio + 1)
    deviation = 2 * up_down_d2d / mean / (1 - beta) ** 2
    return {
        "dw_min": Spread(dw_min * mean, d2d=d2d / mean, log_normal=log_normal),
        "up_down": Spread(ratio, d2d=deviation / ratio),
    }


def kit_write_noise(device: Device, noise: float, dw_min: float) -> Device:
    """Return a device with the kit's `write_noise_std`, which is in units of its dw_min, mho's of the granularity."""
    return replace(device, write_noise=noise * dw_min / float(device.granularity()[0]))


def bounds(high: float, low: float, d2d: float, low_d2d: float | None = None) -> dict[str, Any]:
    """Return `w_max` and `w_min`."""
    return {"w_max": Spread(high, d2d=d2d), "w_min": Spread(low, d2d=d2d if low_d2d is None else low_d2d)}


KIT = "IBM aihwkit 1.2 preset"
SHIFTED = "The range is stated around the symmetry point already: do not shift it to zero once more."
ARRAY = (
    "Read against each device's own symmetry point, copied with an error of 5 % of w_max. {} % of the measured devices "
    "were stuck; off here, Faults(stuck={}, range=0.01) switches it on."
)

ROWS = (
    Published(
        "gokmen-vlasov-2016",
        ConstantStep(**kit_steps(0.001, 0.3), **bounds(0.6, -0.6, 0.3), c2c=0.3),
        "Gokmen & Vlasov, Front. Neurosci. 10:333 (2016), baseline device",
        "KIT (its defaults; that they are the paper's table is MEM)",
        "1200 states between the mean bounds.",
    ),
    Published(
        "aihwkit-gokmen-vlasov",
        ConstantStep(**kit_steps(0.0016, 0.3), **bounds(1.0, -1.0, 0.3), c2c=0.3),
        f"{KIT} GokmenVlasov",
        note="The 2016 device rescaled to bounds of +-1; still about 1200 states.",
    ),
    Published(
        "aihwkit-idealized",
        ConstantStep(**kit_steps(0.0002, 0.3, up_down_d2d=0.0), **bounds(1.0, -1.0, 0.3), c2c=0.3),
        f"{KIT} Idealized; Rasch, Gokmen & Haensch, arXiv 1906.02698 (2019)",
        note="10,000 states and equal steps up and down in every device.",
    ),
    Published(
        "aihwkit-capacitor",
        Capacitor(**kit_steps(0.005, 0.1, up_down_d2d=0.06), leak=Leak(lifetime=Spread(1e6, d2d=0.3)), diffusion=0.0),
        f"{KIT} Capacitor, a fit of Li et al., VLSI (2018)",
        note="The lifetime counts updates: adapt it to the time that an update takes.",
    ),
    Published(
        "ecram",
        LinearStep(
            **kit_steps(0.002, 0.1), **bounds(1.1724, -0.8276, 0.05),
            gamma_up=Spread(0.1153, std=0.05), gamma_down=Spread(0.5085, std=0.05),
            c2c=0.3, mean_bounds=True, shifted=True,
        ),
        f"{KIT} EcRam, a fit of Tang et al., IEDM (2018), lithium ECRAM",
        note=SHIFTED,
    ),
    Published(
        "ecram-mo",
        LinearStep(
            **kit_steps(2.8214e-4, 0.1), **bounds(1.1714, -0.8286, 0.05),
            gamma_up=Spread(0.4152, std=0.05), gamma_down=Spread(0.7342, std=0.05),
            c2c=2.0, mean_bounds=True, shifted=True,
        ),
        f"{KIT} EcRamMO, from data of Kim et al., IEDM (2019), metal-oxide ECRAM",
        note=SHIFTED,
    ),
    Published(
        "reram-es",
        kit_write_noise(
            ExpStep(
                **kit_steps(0.00135, 0.2, 0.259359, 0.05), **bounds(1.0, -1.0, 0.3), c2c=5.0,
                A_up=-1.18445, A_down=-0.081404, gamma_up=5.0, gamma_down=5.0, a=-0.5, b=-0.5,
            ),
            75.0, 0.00135,
        ),
        f"{KIT} ReRamES, a fit of Gong et al., Nat. Commun. 9:2102 (2018), filament RRAM",
        note="A pulse is lost in its noise: 5 steps, and 58 when it is read. The mean step at w = 0, which pulse gains "
        "use, is 0.00174; the kit uses its down step, 0.00199.",
    ),
    Published(
        "reram-sb",
        kit_write_noise(
            SoftBoundsReference(
                **kit_steps(0.002, 0.3), **bounds(1.25, -0.75, 0.3 / 1.25, 0.3 / 0.75), c2c=3.75, additive=True,
                shifted=True,
            ),
            56.0, 0.002,
        ),
        f"{KIT} ReRamSB, a loose fit of Gong et al., Nat. Commun. 9:2102 (2018), filament RRAM",
        note=SHIFTED,
    ),
    Published(
        "reram-array-om",
        kit_write_noise(
            SoftBoundsReference(
                **kit_steps(0.0949, 0.7829, log_normal=True), **bounds(1.0, -1.0, 0.3499, 0.5695), c2c=0.4158,
                additive=True, reference=Spread(0.0, std=0.05), subtract_symmetry_point=True, shifted=True,
            ),
            1.4113, 0.0949,
        ),
        f"{KIT} ReRamArrayOM, from arrays of Gong, Rasch et al., IEDM (2022), optimised material",
        note=ARRAY.format("13.48", "0.1348"),
    ),
    Published(
        "reram-array-hfo2",
        kit_write_noise(
            SoftBoundsReference(
                **kit_steps(0.4622, 0.7125, log_normal=True), **bounds(1.0, -1.0, 0.4295, 0.5990), c2c=0.2174,
                additive=True, reference=Spread(0.0, std=0.05), subtract_symmetry_point=True, shifted=True,
            ),
            0.5841, 0.4622,
        ),
        f"{KIT} ReRamArrayHfO2, from arrays of Gong, Rasch et al., IEDM (2022), baseline HfO2",
        note="About 4 states. " + ARRAY.format("9.77", "0.0977"),
    ),
    Published(
        "pcm",
        PhaseChange(
            dw_min=Spread(0.01, d2d=0.2), w_max=Spread(2.0, d2d=0.1), rise=27.235, decay=5.0,
            c2c=0.6, c2c_add=0.042, c2c_slope=0.108,
        ),
        f"{KIT} PCMPresetUnitCell, a fit of Nandakumar et al., Front. Neurosci. 14:406 (2020), Ge2Sb2Te5",
        note="A pair: one-sided devices cannot be lowered. The kit's d2d of the ratio up/down (5 %) is in dw_min here, "
        "and its reset to 0.01 +- 0.02 is a reset to 0.",
    ),
    Published(
        "pcm-unipolar",
        UnipolarPhaseChange(
            dw_min=Spread(0.01, d2d=0.2), w_max=Spread(2.0, d2d=0.1), rise=27.235, decay=5.0,
            c2c=0.6, c2c_add=0.042, c2c_slope=0.108,
        ),
        f"{KIT} PCMPreset, a fit of Nandakumar et al., Front. Neurosci. 14:406 (2020), Ge2Sb2Te5",
        note='One side of the pair pcm as a device of its own, for cell.pair = "one-sided": only a reset lowers it.',
    ),
)  # fmt: skip


def devices() -> tuple[Published, ...]:
    """Return all published devices."""
    return ROWS


def device(name: str) -> Device:
    """Return the published device of this name; raise ConfigError with the nearest names if there is none."""
    return by_name(ROWS, name, "published device").device
