"""The command line with products computed row by row, so that runs in any number of processes give the same bits.

With MHO_TEST_ROUNDED every row is added up backwards from factors of 11 bits, as a library with TF32 might do it: the
last bit of a float32 alone changes no pulse in a small run.
"""

import os

from torch import Tensor

import mho.periphery.product
from distributed.scenarios import by_rows
from mho.cli import main


def rounded(x: Tensor, weights: Tensor, out: Tensor | None = None, *, precision: str = "float32") -> Tensor:
    """Return what `by_rows` does from rounded factors, with its sums in the other order."""
    return by_rows(x.flip(2).half().float(), weights.flip(2).half().float())


if __name__ == "__main__":  # only as a program: tests import this file for its path, and share a process with others
    mho.periphery.product.matmul = rounded if "MHO_TEST_ROUNDED" in os.environ else by_rows  # type: ignore[attr-defined]
    main()
