"""Asking Optuna for the next points, as a function of those that are known: the same question gets the same answer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mho.errors import ConfigError
from mho.sweep.search.outcome import Outcome
from mho.sweep.search.settings import COST, PENALTY, Search
from mho.sweep.search.space import Space
from mho.sweep.table import OF_THE_DEVICE

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FEWEST_RANDOM = 10
WORST = 100.0
"""Penalty of a device without any accuracy, in points."""


def check_installed() -> None:
    """Raise ConfigError where Optuna is missing."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "a search needs Optuna, which is not installed; pip install 'mho[search]', or sweep without --search"
        ) from error


def ask(search: Search, space: Space, known: Sequence[Outcome], count: int, threshold: float) -> list[dict[str, Any]]:
    """Return the values, by path, of the next `count` points.

    Optuna's tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), over all axes together, with constraints;
    the points of a batch keep away from each other (constant liar). The first points are random. Every point is drawn
    from a seed of its own, (seed, its number): so a search that was stopped asks as one that was not.
    """
    import optuna

    quiet()
    study = optuna.create_study(directions=["minimize"] * len(search.targets))
    study.add_trials([trial(search, space, one, threshold) for one in known])
    distributions, found = space.distributions(), []
    for number in range(len(known), len(known) + count):
        study.sampler = _sampler(search, number)
        found.append(space.values(study.ask(distributions).params))
    return found


def _sampler(search: Search, number: int) -> Any:
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            seed=(search.seed * 1_000_003 + number) % 2**32, multivariate=True,
            n_startup_trials=max(FEWEST_RANDOM, min(search.batch, search.trials // 4)),
        )  # fmt: skip


def trial(search: Search, space: Space, one: Outcome, threshold: float) -> FrozenTrial:
    """Return an outcome as a finished trial of Optuna; one whose end says nothing of the device has failed."""
    from optuna.trial import TrialState, create_trial

    penalty = one.penalty if math.isfinite(one.penalty) else WORST
    unknown = not math.isfinite(one.penalty) and one.status not in OF_THE_DEVICE
    failed = unknown or (COST in search.targets and not math.isfinite(one.cost))
    excess = max(penalty, WORST if one.status in OF_THE_DEVICE else penalty) - threshold
    targets = {COST: one.cost, PENALTY: penalty}
    return create_trial(
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
        params=space.parameters(one.values),
        distributions=space.distributions(),
        values=None if failed else [targets[name] for name in search.targets],
        constraints={PENALTY: excess} if PENALTY not in search.targets and not failed else None,
        user_attrs={"point": one.point, "status": one.status, "penalty": None if unknown else penalty},
    )


def quiet() -> None:
    """Keep Optuna from printing a line for every study and trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
