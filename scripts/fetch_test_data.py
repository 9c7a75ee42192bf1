"""Fetch the data sets that tests and studies use into mho's cache, so that later runs need no network.

Run: python scripts/fetch_test_data.py [--fashion-mnist] [--optional]
"""

from __future__ import annotations

import argparse
import sys
import time

from mho.data import load
from mho.errors import DataError
from mho.folders import cache_root


def main(arguments: list[str] | None = None) -> int:
    """Fetch each data set asked for; return 1 when one is not to be had, without `--optional`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion-mnist", action="store_true", help="fetch Fashion-MNIST as well as MNIST")
    parser.add_argument("--optional", action="store_true", help="exit 0 also when a data set cannot be fetched")
    options = parser.parse_args(arguments)
    failed = False
    for name in ["mnist", *(["fashion-mnist"] if options.fashion_mnist else [])]:
        start = time.monotonic()
        try:
            dataset = load(name)
        except DataError as error:
            failed = True
            print(f"{name}: not fetched. {error}", file=sys.stderr)
            continue
        seconds = time.monotonic() - start
        print(f"{name}: {dataset.source}, {seconds:.1f} s; cache folder {cache_root()}")
    if failed and options.optional:
        print("going on without (--optional): tests that need the missing data are skipped")
    return int(failed and not options.optional)


if __name__ == "__main__":
    sys.exit(main())
