"""How well predictions know what they do not know: entropy, calibration, and telling strange inputs apart."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.errors import ShapeError

BINS = 15


def predictive_entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of predictions (..., classes) in nats, (...): between 0 and ln classes."""
    return torch.special.entr(probabilities).sum(-1)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, *, bins: int = BINS) -> float:
    """Return the mean distance of accuracy from confidence over `bins` equal ranges of confidence, in percent.

    sum over bins of (samples in it / all) abs(accuracy - mean confidence); the confidence is the largest probability.
    probabilities: (samples, classes); labels: (samples,). Raises ShapeError where they do not belong together.
    Reference: Guo, Pleiss, Sun & Weinberger, ICML 2017, equation 3.
    """
    if probabilities.dim() != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ShapeError(
            f"calibration takes probabilities (samples, classes) and as many labels, found "
            f"{tuple(probabilities.shape)} and {tuple(labels.shape)}; give one chip at a time"
        )
    confidence, guess = probabilities.double().max(1)
    which = (confidence * bins).long().clamp_(0, bins - 1)
    gap = torch.zeros(bins, dtype=torch.float64, device=which.device)
    gap.index_add_(0, which, (guess == labels).double() - confidence)
    return float(100 * gap.abs().sum() / len(labels))


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Return the probability that a score of `outside` is above one of `inside`, ties counting half.

    The area under the curve of true over false alarms: 1/2 says nothing, 1 tells all apart. Both of one dimension;
    raises ShapeError where one is empty. Mann-Whitney's U over the number of pairs, by ranks.
    """
    from scipy.stats import rankdata

    if inside.dim() != 1 or outside.dim() != 1 or not len(inside) or not len(outside):
        raise ShapeError(
            f"scores are two vectors that are not empty, found {tuple(inside.shape)} and {tuple(outside.shape)}; "
            "give one chip at a time"
        )
    ranks = rankdata(torch.cat([inside, outside]).double().cpu().numpy())
    above = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(above / (len(inside) * len(outside)))
