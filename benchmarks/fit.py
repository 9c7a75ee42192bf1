"""Time of `mho device fit` on 1,000 simulated devices of 2,000 pulses: first run, which compiles all kernels, and next.

    python benchmarks/fit.py [--devices 1000] [--cycles 5] [FOLDER]

Each is a process of its own; the kernel cache is a fresh folder. Without FOLDER, a temporary one is used.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mho.characterize.fitting.synthetic import measure, ramps
from mho.devices import SoftBounds, Spread
from mho.units import Window

DEVICE = SoftBounds(
    dw_min=Spread(0.01, d2d=0.25), up_down=Spread(1.2, d2d=0.08), w_max=Spread(1.0, d2d=0.12),
    w_min=Spread(-1.0, d2d=0.1), c2c=0.4, window=Window(5e-6, 55e-6),
)  # fmt: skip
RAMP = 200
"""Pulses up, and then as many down."""


def write(path: Path, devices: int, cycles: int) -> int:
    """Write a CSV of measurements and return its number of rows."""
    found = measure(DEVICE, ramps(RAMP, RAMP, cycles), devices=devices, read_noise=0.5e-6, seed=1)
    with path.open("w", encoding="utf-8") as file:
        file.write("device,pulse,direction,conductance_S\n")
        for k, row in enumerate(found.siemens):
            pairs = zip(found.direction.tolist(), row.tolist(), strict=True)
            file.writelines(f"d{k},{pulse},{sign},{value:.6g}\n" for pulse, (sign, value) in enumerate(pairs))
    return int(found.siemens.size)


def fit(path: Path, folder: Path) -> float:
    """Return the seconds of one run of the command."""
    command = [sys.executable, "-m", "mho", "device", "fit", str(path), "--out", str(folder / "fit"), "--plain"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"MHO_CACHE": str(folder / "cache")})
    return time.perf_counter() - begin


def main() -> None:
    """Print both times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--cycles", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        folder = Path(place)
        rows = write(folder / "big.csv", given.devices, given.cycles)
        print(f"{given.devices} devices of {2 * RAMP * given.cycles} pulses, {rows} rows, {os.cpu_count()} cores")
        for what in ("first run, with an empty kernel cache", "next run"):
            print(f"{what:40} {fit(folder / 'big.csv', folder):6.1f} s", flush=True)


if __name__ == "__main__":
    main()
