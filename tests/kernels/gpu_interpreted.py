"""Run checks of `gpu_cases` by Triton's interpreter: a script, because TRITON_INTERPRET is read at Triton's import.

Arguments: names of checks, "many_steps:1000" for so many steps, "drawn" for tiles and samples drawn by hypothesis.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cases import check_equal, make_cells, make_samples
from kernels.gpu_cases import CHECKS, SOFT, by_reference, check_many_steps, pulsed
from kernels.interpreting import hasten
from kernels.laws import Tiring
from mho.kernels.cells import Scheme


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 5), st.integers(1, 6)),
    batch=st.integers(0, 4),
    seed=st.integers(0, 2**20),
    gain=st.sampled_from([0.5, 5.0, 50.0]),
    scheme=st.builds(
        Scheme,
        bl=st.integers(1, 64),
        managed=st.booleans(),
        balanced=st.booleans(),
        deterministic=st.booleans(),
        one_device=st.sampled_from(["all", "random", "turn"]),
    ),
    flags=st.fixed_dictionaries({"frozen": st.booleans(), "write_noise": st.sampled_from([0.0, 0.05])}),
    law=st.sampled_from([SOFT, Tiring()]),
)
@settings(max_examples=12, derandomize=True, deadline=None)
def drawn(shape, batch, seed, gain, scheme, flags, law):
    cells = make_cells(law, shape, seed=seed, counts=True, visible=True, **flags)
    samples = make_samples(shape[0], batch, *shape[2:], seed=seed, gain=gain, bias=shape[3] > 1 and bool(seed % 2))
    check_equal(pulsed(cells, samples, scheme, "cpu"), by_reference(cells, samples, scheme))


def main() -> None:
    hasten()
    np.seterr(all="ignore")  # rates of silent vectors are quotients by 0 on every backend
    for argument in sys.argv[1:]:
        name, _, steps = argument.partition(":")
        begun = time.perf_counter()
        if name == "drawn":
            drawn()
        elif steps:
            check_many_steps("cpu", int(steps))
        else:
            CHECKS[name]("cpu")
        print(f"{argument} {time.perf_counter() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
