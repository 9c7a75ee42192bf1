"""Entropy, calibration error and the area under the curve, where the answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm

from mho.errors import ShapeError
from mho.inference.uncertainty import auroc, expected_calibration_error, predictive_entropy


def test_entropy_is_zero_for_certainty_and_largest_for_none() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25] * 4, [0.5, 0.5, 0.0, 0.0]])
    assert predictive_entropy(p).tolist() == pytest.approx([0.0, math.log(4), math.log(2)])


def test_calibration_error_of_a_few_samples_by_hand() -> None:
    """Two bins of confidence: 0.6 and 0.6, both right (gap +0.4), and 0.9, wrong (gap -0.9)."""
    p = torch.tensor([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1]])
    labels = torch.tensor([0, 1, 1])
    assert expected_calibration_error(p, labels) == pytest.approx(100 * (2 * 0.4 + 0.9) / 3, rel=1e-6)
    assert expected_calibration_error(p, labels, bins=1) == pytest.approx(100 * (0.7 - 2 / 3), rel=1e-5)


def test_predictions_drawn_from_what_they_say_are_calibrated() -> None:
    """What is left is the noise of the bins; overconfident ones are off by as much as they are."""
    torch.manual_seed(0)
    confidence = 0.5 + 0.5 * torch.rand(200_000)
    labels = (torch.rand(len(confidence)) > confidence).long()
    p = torch.stack((confidence, 1 - confidence), 1)
    assert expected_calibration_error(p, labels) < 0.5
    bold = (confidence + 0.1).clamp(max=1.0)
    wrong = expected_calibration_error(torch.stack((bold, 1 - bold), 1), labels)
    assert wrong == pytest.approx(100 * float((bold - confidence).mean()), abs=0.5)
    assert expected_calibration_error(torch.tensor([[1.0, 0.0]]), torch.tensor([0])) == 0.0


def test_area_under_the_curve_of_two_gaussians() -> None:
    """Phi(d / sqrt 2); the standard error of 20,000 against 20,000 is about 0.003, so 4 of them (alarm 6e-5)."""
    torch.manual_seed(1)
    inside, outside = torch.randn(20_000), 1.0 + torch.randn(20_000)
    assert auroc(inside, outside) == pytest.approx(norm.cdf(1 / math.sqrt(2)), abs=0.012)
    assert auroc(outside, inside) == pytest.approx(1 - auroc(inside, outside), abs=1e-12)


def test_area_counts_pairs_and_ties_half() -> None:
    assert auroc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0])) == 1.0
    assert auroc(torch.tensor([1.0]), torch.tensor([1.0])) == 0.5
    assert auroc(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 3.0])) == pytest.approx((1.5 + 3) / 6)


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ShapeError, match="as many labels"):
        expected_calibration_error(torch.ones(3, 2), torch.ones(2))
    with pytest.raises(ShapeError, match="not empty"):
        auroc(torch.ones(3), torch.ones(0))
