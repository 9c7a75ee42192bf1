"""Gokmen & Vlasov 2016: a fully connected network trained on resistive cross-point devices, MNIST."""

from mho.studies.base import Case, Reference, Study

NOISE = {"forward.noise_management": "max-abs", "backward.noise_management": "max-abs"}
BOUND = NOISE | {"forward.bound_management": "iterative"}
UPDATE = BOUND | {"update.update_management": True}

SPECIFICATION = Reference(
    "NOTE", "Haensch, Gokmen & Puri 2018, same network: the combined specification costs 0.3 points", -0.3
)
NO_LOSS = Reference("MEM", "BL of 10 or more is indistinguishable from exact updates, BL 1 is much worse")

DIGITAL = Reference("TEXT", "Wu et al. 2025, digital SGD, same network, batch 10, other schedule: 98.17 ± 0.05", 98.17)

STUDY = Study(
    name="gokmen-2016",
    source="T. Gokmen & Y. Vlasov, Front. Neurosci. 10:333 (2016), arXiv 1603.07341",
    description="What do non-ideal resistive devices cost a fully connected network (784-256-128-10, MNIST)?",
    network="fcn",
    cases=(
        Case(
            "digital baseline",
            "exact products and exact updates on the same code path",
            "ideal",
            references=(
                DIGITAL,
                Reference("MEM", "the paper's error is about 2.0 %"),
            ),
        ),
        Case(
            "all non-idealities",
            "the paper's device and periphery, BL 10, no management",
            "gokmen-vlasov-2016",
            references=(Reference("MEM", "the paper's threshold is an error of 2.3 %"), NO_LOSS),
            penalty=(SPECIFICATION,),
        ),
        Case(
            "BL 1",
            "as all non-idealities, with pulse trains of a single slot",
            "gokmen-vlasov-2016",
            {"update.bl": 1},
            references=(NO_LOSS,),
        ),
        Case("+ noise management", "inputs and errors are scaled to max abs 1", "gokmen-vlasov-2016", NOISE),
        Case("+ bound management", "saturated forward products are repeated", "gokmen-vlasov-2016", BOUND),
        Case("+ update management", "rows and columns fire equally often, BL 10", "gokmen-vlasov-2016", UPDATE),
        Case(
            "+ BL management",
            "trains as long as needed, up to 31 slots: the preset gokmen-2017",
            "gokmen-2017",
            penalty=(SPECIFICATION,),
        ),
    ),
    modes={
        "quick": {"train_images": 10_000, "epochs": 15, "batch_size": 10, "lr": 0.01, "chips": 3},
        "full": {
            "epochs": 30,
            "batch_size": 1,
            "lr": 0.01,
            "lr_schedule": {"epochs": [10, 20], "factor": 0.5},
            "chips": 3,
        },
    },
)
