"""What every test shares: fixed seeds, repeatable hypothesis runs, and no CUDA test without a CUDA device."""

from __future__ import annotations

import os
import random

# Workers side by side already fill the cores. Were each of them, and each program that a test starts, to use all cores,
# parallel loops would wait for threads that do not run, ten times as long. It must be said before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy
import pytest
import torch

# The same examples on every machine and in every run; a slow shared machine is no reason to fail.
hypothesis.settings.register_profile("mho", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("mho")


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(0)
    numpy.random.seed(0)  # noqa: NPY002 (libraries still draw from the global generator)
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` where torch sees no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu") is not None]  # not those of a folder gpu
    if marked and not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device"))
