"""Kim et al. 2019: training on devices with unequal up and down steps, with and without zero-shifting, MNIST."""

from mho.devices import SoftBounds
from mho.studies.base import Case, Reference, Series, Study
from mho.studies.gokmen_2016 import DIGITAL

RATIOS = (1.0, 1.25, 1.5, 2.0, 3.0)
HARDEST = RATIOS[-1]
BUDGETS = (250, 500, 1000, 2000, 4000)
ERRORS = (0.01, 0.02, 0.05, 0.1, 0.2)


def both(values: tuple[float, ...], quick: tuple[float, ...] = ()) -> dict[str, tuple[float, ...]]:
    """Return the values of a series in both modes."""
    return {"quick": quick or values, "full": values}


RATIO = Series("ratio {:g}", "mean up step / mean down step", "analog.device.up_down", both(RATIOS, RATIOS[::2]))
BUDGET = Series(
    "{:g} pulses", f"alternating pulses per device (ratio {HARDEST:g})", "zero_shift.pulses",
    both(BUDGETS, BUDGETS[::2]),
)  # fmt: skip
ERROR = Series(
    "error {:g}", f"error of the copied reference (ratio {HARDEST:g}; bounds of ±0.6)", "zero_shift.copy_error",
    both(ERRORS, ERRORS[::2]),
)  # fmt: skip

PRESET = "gokmen-2017"
DEVICE = {"device": SoftBounds(), "mapping.scaling": "fixed", "mapping.scale": 2 / 0.6}
"""The step, bounds, spreads and cycle noise of the 2016 baseline device, with the soft bounds of the 2019 paper.

Weights are 2/0.6 times conductances, as in aihwkit's example 22 for its baseline device with soft bounds: in bounds of
±0.6 a weight decays by 1/600 of itself with every pulse, and even balanced devices learn slowly.
"""
HARD = DEVICE | {"device.up_down": HARDEST}

BREAKS = Reference("ABS", "imbalance of up and down steps, not non-linearity alone, breaks training")
SETTINGS = Reference("MEM", "the paper's accuracies are not known, and its settings taken to be those of 2016")
SAVES = Reference("ABS", "the symmetry point as the zero of every weight brings training back")

STUDY = Study(
    name="kim-2019",
    source="H. Kim et al., Zero-shifting Technique for DNN Training on Resistive Cross-point Arrays, arXiv 1907.10228",
    description="What does unequal up and down steps cost a network, and does zero-shifting bring it back (MNIST)?",
    network="fcn",
    cases=(
        Case(
            "digital baseline",
            "exact products and exact updates on the same code path",
            "ideal",
            references=(DIGITAL,),
        ),
        Case(
            "no zero-shifting",
            "soft bounds with the spreads of the 2016 device; the mean ratio of up to down steps grows",
            PRESET, DEVICE, references=(BREAKS, SETTINGS), series=RATIO,
        ),
        Case(
            "exact symmetry point",
            "every device is read against its own symmetry point",
            PRESET, DEVICE | {"zero_shift.method": "exact"}, references=(SAVES,), series=RATIO,
        ),
        Case(
            "2000 pulses",
            "references copied after 2000 alternating pulses",
            PRESET, DEVICE | {"zero_shift.method": "pulses", "zero_shift.pulses": 2000},
            references=(SAVES,), series=RATIO,
        ),
        Case(
            "global mean",
            "one reference value for all devices of an array: the mean of their symmetry points",
            PRESET, DEVICE | {"zero_shift.method": "mean"}, series=RATIO,
        ),
        Case(
            "pulse budget",
            f"references copied after so many pulses, at ratio {HARDEST:g}",
            PRESET, HARD | {"zero_shift.method": "pulses"}, series=BUDGET,
        ),
        Case(
            "copy error",
            f"exact symmetry points, copied with a normal error, at ratio {HARDEST:g}",
            PRESET, HARD | {"zero_shift.method": "exact"}, series=ERROR,
        ),
    ),
    modes={
        "quick": {"train_images": 10_000, "epochs": 10, "batch_size": 10, "lr": 0.01, "chips": 2},
        "full": {"epochs": 6, "batch_size": 10, "lr": 0.01, "chips": 3},
    },
    yardstick="no zero-shifting, ratio 1",
    weights="fc3",
)  # fmt: skip
