"""Optuna's record of a search in a database: for its dashboard and plots, and for other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mho.errors import CheckpointError, ConfigError
from mho.sweep.search.asking import quiet, trial
from mho.sweep.search.outcome import Outcome
from mho.sweep.search.settings import Search
from mho.sweep.search.space import Space

FILE = "search.db"
Found = TypeVar("Found")


class Record:
    """A study of Optuna that follows a search: every point whose end is known is one of its trials.

    What the search asks next depends on the files of the sweep alone, so a record that is lost costs nothing: it is
    written again. Raises ConfigError where the database cannot be used.
    """

    def __init__(self, search: Search, folder: Path, name: str) -> None:
        import optuna

        quiet()
        self.search, self.url = search, search.storage or sqlite(folder / FILE)
        directions = [optuna.study.StudyDirection.MINIMIZE for _ in search.targets]
        self.study = self._checked(
            lambda: optuna.create_study(storage=self.url, study_name=name, directions=directions, load_if_exists=True),
            ConfigError,
            "give another storage in [search], or none for a file in the directory of the sweep",
        )

    def add(self, found: Sequence[Outcome], space: Space, threshold: float) -> None:
        """Add the outcomes that are not there yet; raise CheckpointError where the database has gone."""
        cure = "the results are kept: mho sweep --search --resume DIR goes on when the database answers"
        there = self._checked(lambda: self.study.get_trials(deepcopy=False), CheckpointError, cure)
        known = {one.user_attrs.get("point") for one in there}
        new = [trial(self.search, space, one, threshold) for one in found if one.point not in known]
        self._checked(lambda: self.study.add_trials(new), CheckpointError, cure)

    def _checked(self, act: Callable[[], Found], kind: type[Exception], cure: str) -> Found:
        try:
            return act()
        except Exception as error:  # those of SQLAlchemy, of Optuna, and of a database's own driver
            where = hidden(self.url)
            first = str(error).strip().partition("\n")[0].replace(self.url, where)
            raise kind(
                f"the database {where} of the search cannot be used ({type(error).__name__}: {first}); {cure}"
            ) from error


def sqlite(path: Path) -> str:
    """Return the URL of a file of SQLite."""
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def hidden(url: str) -> str:
    """Return a URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url.partition("@")[2] or url)


def as_json(
    search: Search, name: str, threshold: float, found: Sequence[Outcome], chosen: Outcome | None
) -> dict[str, Any]:
    """Return what search.json holds."""
    return {
        "version": 1, "study": name, "storage": hidden(search.storage) if search.storage else FILE,
        "targets": list(search.targets), "cost": search.cost, "threshold": threshold, "asked": search.trials,
        "trials": [one.json() for one in found], "best": None if chosen is None else chosen.json(),
    }  # fmt: skip
