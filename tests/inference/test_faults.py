"""Stuck devices: shares, rows, columns and clusters, one's own map, and what stuck devices do to weights."""

import numpy as np
import pytest
import torch
from scipy import stats

import mho
from inference.programmed_models import EXACT, analog, draw, outputs
from mho.errors import DataError
from mho.inference import Conductances, Programming, StuckFaults, Verify, WriteError, age, preset, program
from mho.inference.programming import programmed_blocks

ALARM = 1e-3  # false-alarm rate of each test, over all of its numbers


def drawn(faults: StuckFaults, shape=(1, 2, 200, 300), **options) -> np.ndarray:
    return faults.drawn(shape, draw(range(shape[0]), **options)).numpy()


def check_share(found: int, of: int, share: float, tests: int) -> None:
    """Fail unless a count is binomial, two-sided, at ALARM over so many tests."""
    level = ALARM / 2 / tests
    assert stats.binom.ppf(level, of, share) <= found <= stats.binom.isf(level, of, share)


def test_shares_of_independent_faults() -> None:
    codes = drawn(StuckFaults((0.0904, 0.3, 1.0), (0.0175, 0.0, 0.0)), (3, 2, 200, 300))
    for chip, (low, high) in zip(codes, ((0.0904, 0.0175), (0.3, 0.0), (1.0, 0.0)), strict=True):
        check_share((chip == -1).sum(), chip.size, low, 6)
        check_share((chip == 1).sum(), chip.size, high, 6)
    assert (codes[2] == -1).all()
    both = ((codes[0, 0] != 0) & (codes[0, 1] != 0)).sum()  # sides of a pair fail by themselves
    check_share(both, codes[0, 0].size, 0.1079**2, 6)


@pytest.mark.parametrize("kind", ["rows", "columns"])
def test_whole_lines_are_stuck(kind: str) -> None:
    codes = drawn(StuckFaults(0.1, 0.05, kind), (4, 2, 300, 300))
    lines = codes if kind == "rows" else codes.swapaxes(2, 3)
    assert (lines == lines[..., :1]).all()
    check_share((lines[..., 0] == -1).sum(), 2400, 0.1, 2)
    check_share((lines[..., 0] == 1).sum(), 2400, 0.05, 2)


def test_clusters_are_squares_with_the_stated_share() -> None:
    codes = drawn(StuckFaults(0.1, 0.05, "clusters", 5), (40, 2, 60, 85))
    low = codes == -1
    # The clusters of a chip are 2 x 12 x 17 and parts at the edges: treat as that many, which widens the bound.
    level = stats.norm.isf(ALARM / 4)
    for share, found in ((0.1, low.mean()), (0.05, (codes == 1).mean())):
        assert abs(found - share) < level * (share * (1 - share) / (40 * 2 * 12 * 17)) ** 0.5
    same = (low[:, :, :, 1:] & low[:, :, :, :-1]).mean() / low[:, :, :, :-1].mean()
    assert same == pytest.approx(0.8 + 0.2 * 0.1, abs=0.03)  # in 4 of 5 places the neighbour is of the same square
    corners = {(np.flatnonzero(np.diff(chip[0], axis=0).any(1)) % 5).tolist()[0] for chip in codes}
    assert len(corners) == 5
    assert drawn(StuckFaults(0.5, 0.5, "clusters", 100), (1, 1, 3, 4)).shape == (1, 1, 3, 4)


def test_stuck_devices_show_the_ends_of_the_window() -> None:
    model = analog()
    settings = Programming(
        Conductances(g_min=5e-6, g_max=20e-6), WriteError("additive", c2c=0.1), StuckFaults(0.2, 0.3),
        Verify(iterations=3, tolerance=0.01),
    )  # fmt: skip
    report = program(model, settings)
    for one in programmed_blocks(model):
        g, stuck = one.conductance, one.stuck
        assert (g[stuck < 0] == torch.tensor(5e-6)).all()
        assert (g[stuck > 0] == torch.tensor(20e-6)).all()
        assert not torch.isin(g[stuck == 0], torch.tensor([5e-6, 20e-6])).any()
        torch.testing.assert_close(one.visible, (g[:, 0] - g[:, 1]) / 15e-6 * one.scale)
    total = sum(layer.devices for layer in report.layers)
    check_share(round(sum(layer.devices * layer.stuck_low[0] for layer in report.layers)), total, 0.2, 2)
    check_share(round(sum(layer.devices * layer.stuck_high[0] for layer in report.layers)), total, 0.3, 2)


def test_stuck_devices_do_not_age() -> None:
    model = analog()
    program(model, preset("pcm").with_({"faults.low": 0.0, "faults.high": 1.0}))
    age(model, 1e6)
    assert not any(one.visible.any() for one in programmed_blocks(model))  # both sides of all pairs at g_max
    program(model, "pcm")
    age(model, 1e6)
    assert all(one.visible.any() for one in programmed_blocks(model))


def maps(model, devices=2, seed=0):
    """Return a random map for every layer of a model."""
    rng = np.random.default_rng(seed)
    layers = [(name, m) for name, m in model.named_modules() if hasattr(m, "analog_tiles")]
    return {n: rng.integers(-1, 2, (devices, m.out_size, m.in_size + m.array_bias)) for n, m in layers}


@pytest.mark.parametrize("layout", ["pair", "offset", "single"])
def test_a_map_of_ones_own_reaches_every_device(layout: str) -> None:
    model = analog(2)
    trained = {name: model.get_submodule(name).get_weights() for name in ("0", "2", "4", "6")}
    found = maps(model, 2 if layout == "pair" else 1)
    found["4"] = np.stack((found["4"], -found["4"]))  # each chip its own
    program(model, Programming(Conductances(layout)), fault_map=found)
    for name, codes in found.items():
        layer = model.get_submodule(name)
        codes = codes if name == "4" else np.stack((codes, codes))
        weight, bias = layer.get_weights()
        shown = weight if bias is None else torch.cat((weight, bias.unsqueeze(2)), dim=2)
        weight, bias = trained[name]
        before = weight if bias is None else torch.cat((weight, bias.unsqueeze(2)), dim=2)
        size = torch.cat([block_sizes(grid) for grid in layer.grid_list], dim=1)
        stuck = torch.from_numpy(codes).to(torch.float32)
        if layout == "pair":
            sides = torch.stack((before.clamp_min(0), (-before).clamp_min(0)), dim=1) / size.unsqueeze(1)
            sides = torch.where(stuck == 0, sides, (stuck + 1) / 2)
            wanted = (sides[:, 0] - sides[:, 1]) * size
        else:
            wanted = torch.where(stuck[:, 0] == 0, before, stuck[:, 0] * size)
        torch.testing.assert_close(shown, wanted, rtol=1e-5, atol=1e-6)


def block_sizes(grid) -> torch.Tensor:
    """Return what fills the window at every weight of a grid."""
    out = torch.empty(len(grid.chips), grid.rows, grid.columns + grid.bias)
    for (_, (r0, r1), (c0, c1), j, biased), block in zip(grid.spans, grid.block_list, strict=True):
        size = block.programmed.scale * grid.factor()[:, j, r0:r1].unsqueeze(2)
        out[:, r0:r1, c0 : c1 + biased] = size
    return out


def test_a_map_adds_to_drawn_faults_and_wins() -> None:
    layer = mho.convert_to_analog(torch.nn.Linear(30, 20, bias=False), EXACT, trained=True)
    given = maps(layer, seed=3)
    faults = StuckFaults(0.3, 0.3)
    program(layer, Programming(faults=faults), fault_map={"model": given[""]})
    stuck = programmed_blocks(layer)[0].stuck.clone()
    program(layer, Programming(faults=faults))
    alone = programmed_blocks(layer)[0].stuck
    own = torch.from_numpy(given[""])[None]
    assert torch.equal(stuck, torch.where(own != 0, own, alone).to(torch.int8))


def test_a_map_in_a_file(tmp_path) -> None:
    from safetensors.numpy import save_file

    model = analog()
    found = {name: codes.astype(np.int8) for name, codes in maps(model).items()}
    np.savez(tmp_path / "map.npz", **found)
    save_file(found, tmp_path / "map.safetensors")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    (tmp_path / "map.txt").write_text("1 0 1")
    answers = []
    for given in (found, tmp_path / "map.npz", str(tmp_path / "map.safetensors")):
        program(model, fault_map=given)
        answers.append(outputs(model))
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])
    for name, text in (("broken.npz", "cannot be read"), ("none.npz", "cannot be read"), ("map.txt", "no known kind")):
        with pytest.raises(DataError, match=text):
            program(model, fault_map=tmp_path / name)
