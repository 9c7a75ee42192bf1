"""The rooms of mho import one way; and the checker that says so is seen to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from repo.paths import PACKAGE
from repo.rooms import ONLY, ROOMS, violations


def test_rooms_import_only_earlier_rooms() -> None:
    assert violations(PACKAGE) == []


def test_rooms_are_listed_once() -> None:
    assert len(set(ROOMS)) == len(ROOMS)
    for room, needed in ONLY.items():
        assert all(ROOMS.index(n) < ROOMS.index(room) for n in needed)


def package_with(folder: Path, files: dict[str, str]) -> Path:
    package = folder / "mho"
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("devices/soft.py", "from mho.nn import linear\n", "devices imports nn"),
        ("devices/soft.py", "import mho.nn.linear\n", "devices imports nn"),
        ("devices/soft.py", "from mho import nn\n", "devices imports nn"),
        ("devices/soft.py", "from ..nn import linear\n", "devices imports nn"),
        ("devices/laws/soft.py", "from ... import nn\n", "devices imports nn"),
        ("units.py", "from . import kernels\n", "units imports kernels"),
        ("tiles/tile.py", "def f():\n    from mho.train import run\n", "tiles imports train"),
        ("tiles/tile.py", "if TYPE_CHECKING:\n    from mho.cli import main\n", "tiles imports cli"),
        ("tiles/tile.py", "importlib.import_module('mho.update.pulsed')\n", "tiles imports update"),
        ("data/mnist.py", "from mho.random import Key\n", "may import only errors, folders"),
        ("cli/train.py", "import mho\n", "front door"),
        ("cli/train.py", "from mho import preset\n", "front door"),
        ("helpers.py", "", "'helpers' is no room"),
        ("nn/linear.py", "from mho.helpers import f\n", "front door"),
    ],
)
def test_wrong_imports_are_found(tmp_path: Path, name: str, text: str, says: str) -> None:
    found = violations(package_with(tmp_path, {name: text}))
    assert len(found) == 1
    assert says in found[0]


def test_right_imports_pass(tmp_path: Path) -> None:
    files = {
        "__init__.py": "from mho.cli import main\nfrom . import nn\n",
        "errors.py": "import torch\n",
        "random.py": "import random\nfrom .errors import MhoError\n",
        "nn/linear.py": "from mho import errors\nfrom . import conv\nfrom ..tiles import Tile\n",
        "nn/conv.py": "from mho.nn.linear import AnalogLinear\nimport mho.config as c\n",
        "data/mnist.py": "from mho.errors import DataError\nfrom mho.data.cache import path\n",
    }
    assert violations(package_with(tmp_path, files)) == []
