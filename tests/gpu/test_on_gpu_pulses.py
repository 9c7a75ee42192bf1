"""The update kernels on the GPU itself, by the cases that CI runs through Triton's interpreter."""

from __future__ import annotations

import pytest

from kernels.gpu_cases import CHECKS, check_many_steps

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", CHECKS)
def test_kernels_equal_the_reference_on_the_gpu(name):
    CHECKS[name]("cuda")


def test_states_equal_the_reference_after_a_thousand_steps():
    check_many_steps("cuda", 1000)
