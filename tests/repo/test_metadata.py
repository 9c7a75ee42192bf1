"""What the project's files say about each other is true."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from typing import Any

import pytest

import mho
from repo.paths import ROOT, pyproject, text

PROJECT = pyproject()["project"]
TOOLS = pyproject()["tool"]
HEADINGS = {
    *("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"),  # Keep a Changelog
    "Changes numerical results",
}


def requirements() -> dict[str, str]:
    """Return each requirement's name, in lower case with dashes, and its lower bound."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = {}
    for line in (line for group in lists for line in group if not line.startswith("mho[")):  # an extra of other extras
        match = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)(?:;.*)?", line)
        assert match, f"{line!r}: write name>=lowest"
        found[match[1].lower().replace("_", "-")] = match[2]
    return found


def pins() -> dict[str, str]:
    """Return each pinned name, in lower case with dashes, and its version."""
    lines = [line for line in text("constraints.txt").splitlines() if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def named_paths() -> Iterator[str]:
    """Yield the paths that pyproject.toml names."""
    yield PROJECT["readme"]
    yield from PROJECT["license-files"]
    yield from TOOLS["hatch"]["build"]["targets"]["wheel"]["packages"]
    yield from TOOLS["hatch"]["build"]["targets"]["sdist"]["include"]
    yield from TOOLS["pytest"]["ini_options"]["testpaths"]
    yield from TOOLS["pytest"]["ini_options"]["pythonpath"]
    yield from TOOLS["ruff"]["src"]
    yield from TOOLS["ruff"]["lint"]["per-file-ignores"]
    yield from TOOLS["mypy"]["files"]
    yield from TOOLS["mypy"]["mypy_path"].split(":")


def test_paths_in_pyproject_exist() -> None:
    assert [name for name in named_paths() if not list(ROOT.glob(name))] == []


def test_modules_in_pyproject_exist() -> None:
    ours = [o["module"] for o in TOOLS["mypy"]["overrides"] if isinstance(o["module"], str)]
    for module in ours:
        assert (ROOT / "src" / module.removesuffix(".*").replace(".", "/")).exists(), module


def test_markers_are_left_out_in_one_expression() -> None:
    options: dict[str, Any] = TOOLS["pytest"]["ini_options"]
    assert re.findall(r"(?<=-m )'[^']*'", options["addopts"]) == ["'not slow and not gpu'"]
    assert [m.split(":")[0] for m in options["markers"]] == ["slow", "gpu"]


def test_readme_versions_match_metadata() -> None:
    readme = text("README.md")
    python = re.findall(r"Python (\d+\.\d+)", readme)
    torch = re.findall(r"torch (\d+\.\d+)", readme)
    assert set(python) == {PROJECT["requires-python"].removeprefix(">=")}
    assert set(torch) == {requirements()["torch"]}


def test_every_requirement_is_pinned_within_its_bound() -> None:
    bounds, pinned = requirements(), pins()
    assert sorted(bounds.keys() - pinned.keys()) == []
    assert [name for name, low in bounds.items() if as_numbers(pinned[name]) < as_numbers(low)] == []


@pytest.mark.parametrize("name", ["torch", "numba", "numpy"])
def test_tests_run_on_the_pinned_versions(name: str) -> None:
    assert importlib.metadata.version(name).split("+")[0] == pins()[name], "install with -c constraints.txt"


def test_versions_agree() -> None:
    assert f"version: {PROJECT['version']}\n" in text("CITATION.cff")
    assert importlib.metadata.version("mho") == PROJECT["version"]
    assert mho.__version__ == PROJECT["version"]


def test_entry_point_exists() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="mho")
    assert script.value == PROJECT["scripts"]["mho"]
    assert callable(script.load())


def test_changelog_has_its_headings() -> None:
    changelog = text("CHANGELOG.md")
    releases = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    assert releases[0].startswith("[Unreleased]")
    for release in releases:
        headings = re.findall(r"^### (.+)$", release, flags=re.MULTILINE)
        assert set(headings) <= HEADINGS, release.splitlines()[0]
        assert "Changes numerical results" in headings, release.splitlines()[0]


@pytest.mark.parametrize(("name", "ends"), [("train", "mho train"), ("test", "python -m pytest -n auto")])
def test_readme_has_the_commands_that_ci_runs(name: str, ends: str) -> None:
    block = re.search(rf"^<!-- ci: {name} -->\n```bash\n(.+)\n```$", text("README.md"), flags=re.MULTILINE)
    assert block, f"no one-line bash block below <!-- ci: {name} -->"
    assert "-c constraints.txt" in block[1]
    assert block[1].endswith(ends)
    assert f"run_readme {name}" in text(".ci/run")
