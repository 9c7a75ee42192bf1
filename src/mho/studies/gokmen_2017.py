"""Gokmen, Onen & Haensch 2017: a convolutional network trained on resistive cross-point devices, MNIST."""

from mho.studies.base import Case, Reference, Study
from mho.studies.gokmen_2016 import BOUND, NOISE, UPDATE

START = "gokmen-vlasov-2016"
BL_1 = UPDATE | {"update.bl": 1}


def on_k2(devices: int) -> dict[str, object]:
    """Return the change that makes every weight of the second convolution the average of several devices."""
    return {"layers": {"conv2": {"cell.devices": devices, "cell.combine": "average"}}}


def recalled(text: str) -> tuple[Reference, ...]:
    """Return a recalled fact of the paper."""
    return (Reference("MEM", f"the paper's error {text}"),)


SUCCESS = Reference("ABS", "the combination of all techniques trains the network as well as in floating point")

STUDY = Study(
    name="gokmen-2017",
    source="T. Gokmen, M. Onen & W. Haensch, Front. Neurosci. 11:538 (2017), arXiv 1705.08014",
    description="Which techniques let a convolutional network learn on non-ideal resistive devices (MNIST)?",
    network="lenet",
    cases=(
        Case(
            "digital baseline",
            "exact products and exact updates on the same code path",
            "ideal",
            references=(
                Reference(
                    "TEXT",
                    "Wu et al. 2025, digital SGD, same network, batch 8, other rate: 99.09 ± 0.04",
                    99.09,
                ),
                *recalled("is about 0.8 %"),
            ),
        ),
        Case(
            "all non-idealities",
            "the 2016 device and periphery, BL 10, no management",
            START,
            references=recalled("is 10 % or more"),
        ),
        Case("+ noise management", "inputs and errors are scaled to max abs 1", START, NOISE),
        Case(
            "+ bound management",
            "saturated forward products are repeated",
            START,
            BOUND,
            references=recalled("is about 1.7 %"),
        ),
        Case(
            "NM, BM, 4 devices on K2",
            "a weight of the second convolution is the average of 4 devices",
            START,
            BOUND | on_k2(4),
        ),
        Case(
            "NM, BM, 13 devices on K2",
            "the same with 13 devices",
            START,
            BOUND | on_k2(13),
            references=recalled("is about 1.45 %"),
        ),
        Case("+ update management", "rows and columns fire equally often, BL 10, one device", START, UPDATE),
        Case(
            "UM with BL 1",
            "pulse trains of a single slot, one device",
            START,
            BL_1,
            references=recalled("is about 1.1 %"),
        ),
        Case(
            "+ BL management",
            "trains as long as needed, up to 31 slots: the preset gokmen-2017",
            "gokmen-2017",
            references=(
                Reference("KIT", "log of aihwkit example 4 (not the paper): batch 8, 30 epochs, 98.68", 98.68),
            ),
        ),
        Case(
            "everything on",
            "noise, bound and update management, BL 1, 13 devices on K2",
            START,
            BL_1 | on_k2(13),
            references=recalled("is about 0.8 %, that of floating point"),
            penalty=(SUCCESS,),
        ),
    ),
    modes={
        "quick": {"train_images": 10_000, "epochs": 2, "batch_size": 8, "lr": 0.01, "chips": 2},
        "full": {"epochs": 30, "batch_size": 1, "lr": 0.01, "chips": 3},
    },
)
