"""How well a mean penalty is known: Student's t over the chips of a point and of the baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVEL = 0.95
METHOD = (
    "95 % confidence intervals of a mean penalty are Student's t over chips, with the spread of the baseline's chips "
    "added (Welch). Points of a grid whose mean penalty is within the threshold share one standard deviation, pooled "
    "over all of them; a point above it has its own. The interval of a limit is the set of values at which the mean "
    "penalty's interval holds the threshold (Fieller), with straight lines between the points of the sweep."
)


def half_widths(
    chips: Sequence[int], std: Sequence[float], within: Sequence[bool], baselines: Sequence[tuple[float, ...]]
) -> list[float]:
    """Return half the confidence interval of the mean penalty of every point of a grid; NaN where it is not known.

    half = t(df) sqrt(s^2/n + s_b^2/n_b) with Satterthwaite's degrees of freedom df, where s and n are the standard
    deviation and number of the point's chips and s_b, n_b those of its baseline (none where that is a stated number).
    within: whether the mean penalty of the point is at most the threshold: s is then pooled over all such points.
    """
    from scipy.special import stdtrit  # the quantiles of Student's t, without seconds of importing scipy.stats

    n, inside, freedom = np.array(chips, dtype=float), np.array(within, dtype=bool), np.maximum(np.array(chips) - 1, 0)
    variance = np.square(np.array(std, dtype=float))
    shared = int(freedom[inside].sum())
    pooled = float((freedom * variance)[inside].sum()) / shared if shared else 0.0
    variance, df = np.where(inside, pooled, variance), np.where(inside, shared, freedom)
    known = {base: (float(np.var(base, ddof=1)) / len(base), len(base) - 1) for base in set(baselines) if len(base) > 1}
    more, base_df = np.array([known.get(base, (0.0, 1)) for base in baselines], dtype=float).reshape(-1, 2).T
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where((df > 0) & (n > 0), variance / n, np.nan)
        whole = (own + more) ** 2 / (own**2 / df + more**2 / base_df)
        whole = np.where(own + more > 0, whole, 1.0)  # chips that all reached the same
    return [float(h) for h in stdtrit(whole, 0.5 + LEVEL / 2) * np.sqrt(own + more)]
