"""Draw the README's figure: the response of a published device, and the accuracy of a run.

python scripts/readme_figure.py RUN_DIR [--out docs/images/training.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from mho.characterize import response
from mho.devices import catalogue
from mho.folders import replacing
from mho.report.rundir import Run, numbers_in, read_run

DEVICE, LABEL = "gokmen-vlasov-2016", "Device of preset gokmen-2017"
BLUE, ORANGE, GREY = "#2563eb", "#ea7317", "#6b7280"


def draw_response(axes: Axes) -> None:
    """Draw mean, spread and three single devices, pulsed up and down."""
    r = response(catalogue.device(DEVICE), devices=500)
    axes.fill_between(r.pulses, r.low[0], r.high[0], color=BLUE, alpha=0.15, lw=0, label="10 to 90 % of 500 devices")
    for n, one in enumerate(r.traces[0]):
        axes.plot(r.pulses, one, color=GREY, lw=0.8, alpha=0.8, label="" if n else "single devices")
    axes.plot(r.pulses, r.mean[0], color=BLUE, lw=2, label="mean")
    axes.axvline(r.turn, color=GREY, lw=0.8, ls=":")
    axes.set(title=LABEL, xlabel=f"pulses ({r.turn} up, {r.turn} down)", ylabel="conductance (normalised units)")
    axes.set_xlim(0, r.pulses[-1])
    axes.legend(loc="lower center", fontsize=8, frameon=False)


def draw_accuracy(axes: Axes, run: Run) -> None:
    """Draw accuracy per epoch, with the range of the chips where there are several."""
    for key, label, colour in (("train_accuracy", "training", ORANGE), ("test_accuracy", "test", BLUE)):
        epochs = [line["epoch"] for line in run.metrics if key in line]
        values = np.array([numbers_in(line[key]) for line in run.metrics if key in line])
        if not values.size:
            continue
        if values.shape[1] > 1:
            axes.fill_between(epochs, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.2, lw=0)
        axes.plot(epochs, values.mean(axis=1), color=colour, marker="o", ms=3.5, lw=2, label=label)
    c, chips = run.config, len(run.config.chip_ids)
    spread = f" (mean and range of {chips} chips)" if chips > 1 else ""
    axes.set(title=f"{c.network} on {c.data}{spread}", xlabel="epoch", ylabel="accuracy (%)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower right", fontsize=8, frameon=False)


def main() -> None:
    """Read the run and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--out", type=Path, default=Path("docs/images/training.png"))
    options = parser.parse_args()
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.7), layout="constrained")
    draw_response(left)
    draw_accuracy(right, read_run(options.run))
    with replacing(options.out) as temporary:
        figure.savefig(temporary, dpi=160, format="png", metadata={"Software": None})


if __name__ == "__main__":
    main()
