"""The parts of a transfer at work, of which a rule's learner is composed; see docs/reference/transfer."""

from mho.update.transfer.chopping import Signs
from mho.update.transfer.estimate import PeriodMean
from mho.update.transfer.filters import AverageFilter, BufferFilter
from mho.update.transfer.learner import Estimate, Pair, Parts, TransferLearner
from mho.update.transfer.lines import Lines
from mho.update.transfer.reading import Reader
from mho.update.transfer.writing import Counts, Trains

__all__ = [
    "AverageFilter", "BufferFilter", "Counts", "Estimate", "Lines", "Pair", "Parts", "PeriodMean", "Reader", "Signs",
    "Trains", "TransferLearner",
]  # fmt: skip
