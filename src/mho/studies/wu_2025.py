"""Wu et al. 2025: devices whose steps shrink towards their bounds, under cycle-to-cycle noise; plain SGD and Tiki-Taka.

Where each setting was read ([TEXT]: the paper and its appendix K; [CODE]: the authors' scripts S2-mnist-FCN.py and
S2-mnist-CNN.py; [KIT]: defaults of IBM aihwkit that the scripts keep):

- response [TEXT K.1]: q+- = (1 -+ w/tau)^0.5, which is `PowStep` as it stands; the kit's own device divides the way
  to the bound by the whole range (`full_range`), so that its step at w = 0 is dw_min/sqrt(2).
- tau = 0.6: table 7 does not say it; of the tau that the authors ran (0.5 to 0.8) it is the one at which the dw_min of
  the scripts, 2 tau / 1200 [CODE], is the 0.001 of table 4 [TEXT].
- spreads: steps 30 %, ratio up to down 2 % [KIT]; bounds and power none [CODE].
- periphery [TEXT]: DAC 7 bit, ADC 9 bit, output noise 0.06, output bound 12, noise and bound management.
- trains: up to 31 slots [KIT] (32 in the paper), with update and train-length management [TEXT].
- arrays of at most 512 x 512, digital bias [KIT]; one learned factor per array, 1 at the start [CODE].
- rates: 0.1 digital, 0.05 analog [TEXT], of the mean over the batch [CODE]; the summed loss of mho takes them divided
  by the batch. They halve after 15 of 30 epochs (fully connected) or stay (convolutional) [CODE]. Whether they halved
  in table 7 the paper does not say, so the fully connected network is also trained at rates that stay.
- Tiki-Taka: fast rate 0.01 of the mean loss, constant; a column of every array after every batch, read without noise
  and bound management, is transferred at 1 x the scheduled rate, 0.05 [CODE]. gamma = 0 [KIT].
- initial weights are torch's, images have values from 0 to 1 [CODE].
"""

from __future__ import annotations

from typing import Any

from mho.devices import PowStep, Spread
from mho.studies.base import Case, Reference, Series, Study
from mho.update.tiki_taka import TikiTaka
from mho.update.transfer.settings import Schedule

SOURCE = (
    "Z. Wu, Q. Xiao, T. Gokmen, O. Fagbohungbe & T. Chen, Analog In-memory Training on General Non-ideal Resistive "
    "Elements: The Impact of Response Functions, NeurIPS 2025, arXiv 2502.06309"
)
NOISES = (0.1, 0.3, 0.6, 0.9, 1.2)
TAU = 0.6
DEVICE = PowStep(
    dw_min=Spread(0.001, d2d=0.3),
    up_down=Spread(1.0, d2d=0.02),
    w_max=Spread(TAU),
    w_min=Spread(-TAU),
    pow_gamma=Spread(0.5),
)
ARRAYS = {
    "device": DEVICE,
    "mapping.max_rows": 512,
    "mapping.max_columns": 512,
    "mapping.bias": "digital",
    "mapping.learn_scale": True,
}
NOISE = Series(
    "c2c {:g}", "cycle-to-cycle noise / step", "analog.device.c2c", {"quick": NOISES[::2], "full": NOISES}
)  # fmt: skip
PRESET = "gokmen-2017"


def tiki_taka(batch: int) -> TikiTaka:
    """Return the rule at rates of the summed loss: the fast one is its own, the other follows the optimizer's 0.05."""
    return TikiTaka(
        fast_lr=0.01 / batch, scale_fast_lr=False, transfer_lr=float(batch), schedule=Schedule(unit="batch")
    )


def figures(means: tuple[float, ...], spreads: tuple[float, ...]) -> tuple[Reference, ...]:
    """Return the paper's accuracies at every noise."""
    found = zip(NOISES, means, spreads, strict=True)
    return tuple(Reference("TEXT", f"table 7: {mean:.2f} ± {std:.2f}", mean, at=noise) for noise, mean, std in found)


def ladder(
    batch: int, digital: Reference, plain: tuple[Reference, ...], taka: tuple[Reference, ...], *,
    name: str = "", **changes: Any,
) -> tuple[Case, ...]:  # fmt: skip
    """Return the cases on one network, `changes` to all of them: digital SGD, plain SGD on devices, Tiki-Taka."""
    analog: dict[str, Any] = ARRAYS | {"lr": 0.05 / batch} | changes
    return (
        Case(
            f"{name}digital baseline", "exact products and exact updates on the same code path", "ideal",
            {"lr": 0.1 / batch} | changes, references=(digital,),
        ),
        Case(
            f"{name}analog SGD", "every sample pulses the weights; the cycle-to-cycle noise grows",
            PRESET, analog, references=plain, series=NOISE,
        ),
        Case(
            f"{name}Tiki-Taka", "samples pulse a second array, a column of which is transferred after every batch",
            PRESET, analog | {"rule": tiki_taka(batch)}, references=taka, series=NOISE,
        ),
    )  # fmt: skip


FIGURES = (
    Reference("TEXT", "table 7: 98.17 ± 0.05", 98.17),
    (
        *figures((97.22, 96.97, 96.33, 95.99, 96.19), (0.21, 0.12, 0.21, 0.15, 0.20)),
        Reference("TEXT", "table 8: 96.01 ± 0.26 at tau 0.6, 97.40 ± 0.15 at 0.7, 97.38 ± 0.10 at 0.8", at=0.3),
    ),
    (
        *figures((97.66, 97.07, 97.70, 97.44, 96.97), (0.04, 0.12, 0.09, 0.15, 0.20)),
        Reference("TEXT", "table 8: 96.92 ± 0.19 at tau 0.6, 97.05 ± 0.05 at 0.7, 96.82 ± 0.17 at 0.8", at=0.3),
    ),
)
"""What the paper has for the fully connected network: digital SGD, plain SGD and Tiki-Taka over the noise."""

STUDY = Study(
    name="wu-2025",
    source=SOURCE,
    description="Do steps that shrink towards the bounds, and their noise, harm plain SGD and Tiki-Taka (FCN, MNIST)?",
    network="fcn",
    cases=(
        *ladder(10, *FIGURES),
        *ladder(10, *FIGURES, name="constant rates: ", lr_schedule="constant"),
    ),
    modes={
        "quick": {
            "train_images": 30_000,
            "epochs": 10,
            "batch_size": 10,
            "lr_schedule": {"epochs": [5], "factor": 0.5},
            "chips": 1,
        },
        "full": {"epochs": 30, "batch_size": 10, "lr_schedule": {"epochs": [15], "factor": 0.5}, "chips": 3},
    },
    weights="fc3",
)

LENET = Study(
    name="wu-2025-lenet",
    source=SOURCE,
    description="Do steps that shrink towards the bounds harm plain SGD and Tiki-Taka (convolutional, MNIST)?",
    network="lenet",
    cases=ladder(
        8,
        Reference("TEXT", "table 7: 99.09 ± 0.04", 99.09),
        figures((92.68, 93.36, 93.07, 91.87, 91.57), (0.45, 0.55, 0.53, 0.48, 0.58)),
        figures((98.74, 98.89, 98.68, 98.92, 98.85), (0.07, 0.05, 0.09, 0.02, 0.04)),
    ),
    modes={
        "quick": {"train_images": 10_000, "epochs": 2, "batch_size": 8, "chips": 1},
        "full": {"epochs": 30, "batch_size": 8, "chips": 3},
    },
)
