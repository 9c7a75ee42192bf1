"""The page of a study in the documentation: what a run found is put into it, never typed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from mho.errors import CheckpointError, ConfigError
from mho.folders import replacing, write_text
from mho.report.words import plural

BEGIN, END = "<!-- results: written by mho study page -->", "<!-- end of results -->"


def page(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Put the command, cost, set-up, table and figure of a study's directory into a Markdown page.

    What stands between two comments is replaced; words around them stay. A page that does not exist is begun.
    The figure and results.json are copied beside it under its name. Raises ConfigError when the page has no
    place for results, CheckpointError when the directory holds none.
    """
    source, target = Path(folder), Path(path)
    about, table = _read(source)
    text = target.read_text(encoding="utf-8") if target.exists() else f"# {about['study']}\n\n{BEGIN}\n{END}\n"
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ConfigError(
            f"{target} has no place for results; put a line {BEGIN} and a line {END} where they are to stand"
        )
    for name, suffix in (("figure.png", ".png"), ("results.json", ".json")):
        with replacing(target.with_suffix(suffix)) as temporary:
            shutil.copyfile(source / name, temporary)
    before, _, rest = text.partition(BEGIN)
    write_text(target, f"{before}{BEGIN}\n{block(about, table, target.stem)}{END}{rest.partition(END)[2]}")


def _read(folder: Path) -> tuple[dict[str, Any], str]:
    """Return study.json and the tables in table.md."""
    try:
        about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        text = (folder / "table.md").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{folder} holds no results of a study ({error}); run mho study run NAME --out {folder}"
        ) from error
    return about, text[text.index("\n\n") + 2 : text.rindex("|\n") + 2]


def block(about: dict[str, Any], table: str, stem: str) -> str:
    """Return the Markdown of a study's results."""
    versions = about["versions"]
    threads = plural(about["threads"], "thread")
    left = "" if about["complete"] else " Not all cases were run."
    points = "".join(f"- {line}\n" for line in about["setup"])
    return (
        f"\n```console\n$ {about['command']} --out DIR\n```\n\n"
        f"{about['source']}. This took {_time(about['seconds'])} on {threads} of {about['cores']} cores "
        f"(mho {versions['mho']}, torch {versions['torch']}, numba {versions['numba']}).{left}\n\n"
        f"{points}\n{table}\n"
        f"![{about['figure']}]({stem}.png)\n\n"
        f"The rows as data: [{stem}.json]({stem}.json).\n\n"
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
