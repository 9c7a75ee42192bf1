"""The command line with products computed row by row, so that runs in any number of processes give the same bits.

With MHO_TEST_FLIPPED every row is added up backwards, as a library might do it for a batch of another size.
"""

import os

from torch import Tensor

import mho.periphery.product
from distributed.scenarios import by_rows
from mho.cli import main


def flipped(x: Tensor, weights: Tensor, out: Tensor | None = None) -> Tensor:
    """Return what `by_rows` does, with its sums in the other order."""
    return by_rows(x.flip(2), weights.flip(2))


if __name__ == "__main__":  # only as a program: tests import this file for its path, and share a process with others
    mho.periphery.product.matmul = flipped if "MHO_TEST_FLIPPED" in os.environ else by_rows  # type: ignore[attr-defined]
    main()
