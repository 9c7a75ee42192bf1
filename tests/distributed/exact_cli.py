"""The command line with products computed row by row, so that runs in any number of processes give the same bits."""

import mho.periphery.product
from distributed.scenarios import by_rows
from mho.cli import main

mho.periphery.product.matmul = by_rows  # type: ignore[attr-defined]

if __name__ == "__main__":
    main()
