"""Errors of programming published RRAM devices: those of the device catalogue, measured by `mho.inference.fitted`."""

from __future__ import annotations

from dataclasses import dataclass

from mho.inference.conductances import Conductances
from mho.inference.errors import WriteError
from mho.inference.settings import Programming, Timing


@dataclass(frozen=True)
class MeasuredRow:
    """What `measure_error(device, used=used)` returned for a device of the catalogue.

    device: its name. used: share of the mean device's range that is the window. error: table over the window. pulses:
    mean of a device; reads: of the array; missed: share of the devices beyond the tolerance of 2 % of the window.
    """

    device: str
    used: float
    error: WriteError
    pulses: float
    reads: float
    missed: float

    @property
    def settings(self) -> Programming:
        """Programming with this error: one device against a fixed reference, as the device was measured.

        The catalogue knows no siemens: the window is nominal, with an on/off ratio of 2.
        """
        return Programming(
            Conductances("single", g_min=40e-6, g_max=80e-6),
            self.error,
            timing=Timing(pulses=self.pulses, reads=self.reads),
        )


ROWS = (
    MeasuredRow(
        "reram-es", 0.75,
        WriteError("levels", c2c=0.674, d2d=0.739, table=(
            (0.0, 0.02044, 0.06935), (0.125, 0.00619, 0.03875), (0.25, 0.00172, 0.02316), (0.375, 7e-05, 0.01609),
            (0.5, -0.00045, 0.01603), (0.625, -0.00152, 0.0204), (0.75, -0.00308, 0.02581), (0.875, -0.01026, 0.04505),
            (1.0, -0.028, 0.07514),
        )),
        450.86, 21.0, 0.0643,
    ),
    MeasuredRow(
        "reram-sb", 0.75,
        WriteError("levels", c2c=0.741, d2d=0.672, table=(
            (0.0, 0.05094, 0.12061), (0.125, 0.02056, 0.07593), (0.25, 0.00624, 0.04428), (0.375, 0.00112, 0.02917),
            (0.5, -3e-05, 0.02772), (0.625, -0.00152, 0.03268), (0.75, -0.00382, 0.03534), (0.875, -0.00597, 0.04415),
            (1.0, -0.01038, 0.05044),
        )),
        363.04, 21.0, 0.0969,
    ),
    MeasuredRow(
        "reram-array-om", 0.75,
        WriteError("levels", c2c=0.763, d2d=0.646, table=(
            (0.0, 0.08607, 0.1594), (0.125, 0.04356, 0.1157), (0.25, 0.01855, 0.07925), (0.375, 0.00508, 0.06081),
            (0.5, -0.00038, 0.05771), (0.625, -0.00426, 0.06227), (0.75, -0.01052, 0.06585), (0.875, -0.02364, 0.08668),
            (1.0, -0.05015, 0.11768),
        )),
        20.06, 21.0, 0.1605,
    ),
    MeasuredRow(
        "reram-array-hfo2", 1.0,
        WriteError("levels", c2c=0.911, d2d=0.412, table=(
            (0.0, 0.13951, 0.23242), (0.125, 0.0852, 0.21524), (0.25, 0.05901, 0.21311), (0.375, 0.03307, 0.21918),
            (0.5, 0.00148, 0.22043), (0.625, -0.03401, 0.22027), (0.75, -0.05491, 0.21505), (0.875, -0.07229, 0.20614),
            (1.0, -0.11527, 0.21783),
        )),
        13.62, 21.0, 0.3489,
    ),
)  # fmt: skip
