"""Studies: a paper's experiment as a command, with its table and figure beside ours."""

from mho.studies.base import Case, Reference, Series, Study
from mho.studies.bench import Bench, BenchSettings, Context, Row, Step
from mho.studies.catalogue import studies, study
from mho.studies.page import page
from mho.studies.runner import run

__all__ = [
    "Bench", "BenchSettings", "Case", "Context", "Reference", "Row", "Series", "Step", "Study", "page", "run",
    "studies", "study",
]  # fmt: skip
