"""check_device: what it says of faulty devices, and that it says nothing of good ones."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import mho
from devices.faulty import FAULTS, CellsGiveText, Good, GoodUnipolar
from mho.characterize import agreement
from mho.characterize.hazards import hazards
from mho.cli.app import app
from mho.devices import SoftBounds, Spread, where
from mho.errors import LawError
from mho.tiles.tile import Tile


@pytest.mark.parametrize(("kind", "words"), FAULTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_faulty_device_is_told_what_is_wrong(kind, words):
    found = mho.check_device(kind)
    assert not found.ok
    for word in words:
        assert any(word in problem for problem in found.problems), str(found)
    assert "WRONG" in str(found)


def test_a_tile_says_which_argument_is_no_number():
    with pytest.raises(LawError, match=r"cells\(\) gives 'dw' the value 'small', which is no array of numbers"):
        Tile(CellsGiveText(), (2, 3), name="t")


def test_a_good_device_is_told_so():
    found = mho.check_device(Good)
    assert found.ok
    assert found.problems == ()
    assert str(found).startswith("Good: all is well\n  ok ")
    assert "claims no symmetry point" in str(found)


def test_a_good_unipolar_device_is_told_so_and_others_that_they_are_not():
    found = str(mho.check_device(GoodUnipolar))
    assert found.startswith("GoodUnipolar: all is well")
    assert "  ok     A unipolar device is at 0 or above, pulses down leave it as it is" in found
    assert "  ok     States stay between" in found  # `top` alone is enough
    assert "left out: the device is not unipolar" in str(mho.check_device(Good))


def test_an_instance_and_chips_that_differ_are_checked():
    good = SoftBounds(w_max=Spread([0.6, 0.8, 0.7], d2d=0.1), dw_min=Spread([0.001, 0.002, 0.01], d2d=[0.1, 0.2, 0.3]))
    assert mho.check_device(good).ok, mho.check_device(good)


@pytest.mark.parametrize("thing", [3, "soft-bounds", int, None, lambda: None])
def test_what_is_no_device_is_told_so(thing):
    assert "expected a device" in str(mho.check_device(thing))


def test_what_follows_from_a_fault_is_not_told_twice():
    broken = next(kind for kind, _ in FAULTS if kind.__name__ == "Branches")
    assert len(mho.check_device(broken).problems) == 1
    assert "first mend what is wrong above" in str(mho.check_device(broken))


def test_a_device_that_no_file_can_name_is_told_so_and_not_failed():
    class Local(Good):
        pass

    found = mho.check_device(Local)
    assert found.ok
    assert "no file can name it" in str(found)


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (0, 0, 1, 2)])
def test_a_backend_that_differs_is_found(monkeypatch, place):
    right = agreement.cpu.pulse_update_

    def wrong(cells, *rest):
        right(cells, *rest)
        cells.state[place] += 1e-3

    monkeypatch.setattr(agreement.cpu, "pulse_update_", wrong)
    problems = mho.check_device(Good).problems
    assert any("by the CPU kernel, but" in p for p in problems)
    assert any("without a pulse changed" in p for p in problems)


def test_a_law_that_triton_cannot_compile_is_found(monkeypatch):
    def fails(*_):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(agreement, "law_assembly", fails)
    monkeypatch.setattr(agreement.importlib.util, "find_spec", lambda name: True)
    assert any("no such instruction" in p for p in mho.check_device(Good).problems)


def test_without_triton_the_gpu_is_left_out(monkeypatch):
    monkeypatch.setattr(agreement.importlib.util, "find_spec", lambda name: None)
    found = mho.check_device(Good)
    assert found.ok
    assert "Triton is not installed" in str(found)


def _guarded(w, up, xi, top):
    return where(w < top, 0.1 / (top - w), 0.0)


def _clipped(w, up, xi, top):
    return np.minimum(0.1 / (top - w), top)


def test_what_where_leaves_out_is_no_hazard_and_what_a_clip_hides_is():
    arguments = [np.float32([0.0, 1.0]), np.array([True, True]), np.float32([0, 0]), np.float32(1.0)]
    assert list(hazards(_guarded, arguments, (2,))) == []
    (found,) = hazards(_clipped, arguments, (2,))
    assert found.why == "divides by zero"
    assert found.mask.tolist() == [False, True]


SCRIPT = """
import mho
from mho.devices import Device, Spread, law, maximum, minimum, where

class Own(Device):
    dw_min: Spread = Spread(0.01, d2d=0.3)
    def cells(self, draw):
        return {"dw": draw(self.dw_min), "top": 1.0, "bottom": -1.0}
    @law
    def pulse(w, up, xi, dw, top, bottom):
        return minimum(maximum(w + where(up, dw, -dw), bottom), top)

print(mho.check_device(Own))
"""


def test_a_script_checks_its_own_device(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.startswith("Own: all is well"), done.stdout
    assert "ok     The parameters are the same" in done.stdout


def test_a_device_in_the_text_of_python_c_is_checked():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.startswith("Own: all is well"), done.stdout
    assert "no file can name it" in " ".join(done.stdout.split())


def test_the_command_line_checks_devices(tmp_path):
    assert CliRunner().invoke(app, ["device", "check", "soft-bounds"]).exit_code == 0
    path = tmp_path / "own.py"
    path.write_text(SCRIPT.replace("print", "str").replace('"top": 1.0', '"tip": 1.0'))
    done = CliRunner().invoke(app, ["device", "check", f"{path}:Own"])
    assert done.exit_code == 1
    assert "did you mean 'tip'?" in done.output


def test_training_refuses_a_law_that_divides_by_zero_and_shows_the_line(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(SCRIPT.replace("where(up, dw, -dw)", "where(up, dw / (1 - w / top), -dw)").replace("print", "str"))
    given = [
        "train",
        "--data",
        "digits",
        "--epochs",
        "1",
        "--set",
        f"device={path}:Own",
        "--out",
        str(tmp_path / "run"),
    ]
    done = CliRunner().invoke(app, given)
    assert done.exit_code != 0
    assert "dw / (1 - w / top)" in f"{done.output} {done.exception}"
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
