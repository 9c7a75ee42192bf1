"""The small data set that the tests of studies share."""

from __future__ import annotations

from pathlib import Path

import pytest

from studies.small import enlarged_digits


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enlarged_digits(tmp_path_factory.mktemp("digits24"))
