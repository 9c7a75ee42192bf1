"""The studies there are."""

from mho.errors import by_name
from mho.studies import (
    ambrogio_2018,
    batchnorm_noise,
    charan_2020,
    cristiano_2018,
    gokmen_2016,
    gokmen_2017,
    hirtzlin_2019,
    kim_2019,
    malhotra_2019,
    requirements,
    wu_2025,
)
from mho.studies.base import Study
from mho.studies.bench import Bench

ROWS: tuple[Study | Bench, ...] = (
    gokmen_2016.STUDY, gokmen_2017.STUDY, ambrogio_2018.STUDY, cristiano_2018.STUDY, kim_2019.STUDY, wu_2025.STUDY,
    wu_2025.LENET, charan_2020.BENCH, batchnorm_noise.BENCH, hirtzlin_2019.BENCH, malhotra_2019.BENCH,
    requirements.BENCH,
)  # fmt: skip


def studies() -> tuple[Study | Bench, ...]:
    """Return all studies."""
    return ROWS


def study(name: str) -> Study | Bench:
    """Return the study of this name; raise ConfigError with the nearest names when there is none."""
    return by_name(ROWS, name, "study")
