"""The public names of `mho.inference`: all there, and none hidden by a module."""

import subprocess
import sys
from pathlib import Path

import pytest

import mho.inference


@pytest.mark.parametrize("name", mho.inference.__all__)
def test_every_name_is_there(name: str) -> None:
    assert not isinstance(getattr(mho.inference, name), type(sys))


def test_no_name_is_that_of_a_module() -> None:
    """Importing a submodule sets it as an attribute: `mho.inference.evaluate` would then be no function but a file."""
    modules = {path.stem for path in Path(mho.inference.__file__).parent.glob("*.py")}
    assert modules & set(mho.inference.__all__) == set()


def test_settings_are_read_without_torch() -> None:
    code = "import mho.inference as i, sys; i.preset('pcm'), i.Verify(), i.StuckFaults(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'programme'"):
        _ = mho.inference.programme
    assert "program" in dir(mho.inference)
