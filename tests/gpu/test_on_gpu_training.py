"""Whole trainings on a GPU: as good as on the CPU, the same bits twice, and on to the other device in between."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import ttest_ind

from mho.config import RunConfig
from mho.data import load
from mho.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


def run(device, chips, **changes):
    given = {"epochs": 8, "lr": 0.05, "batch_size": 5} | changes
    config = RunConfig(data="digits", chips=chips, compute_device=device, **given)
    return train(config, progress=False, data=load("digits"))


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_accuracy_is_that_of_the_cpu(precision):
    """Two-sided Welch test of 16 chips against 16 others; false alarm: 1 in 1,000 for each precision."""
    there = run("cuda", tuple(range(16)), precision=precision).metrics[-1]["test_accuracy"]
    here = run("cpu", tuple(range(16, 32))).metrics[-1]["test_accuracy"]
    assert min(there) > 75, "nothing was learned"
    assert ttest_ind(there, here, equal_var=False).pvalue > 1e-3


@pytest.mark.parametrize("graphs", [True, False])
def test_the_same_run_twice_has_the_same_bits(graphs):
    one, two = (run("cuda", 4, epochs=1, cuda_graphs=graphs).model.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
