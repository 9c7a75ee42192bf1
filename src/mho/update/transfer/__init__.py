"""Transfer between arrays: what the rules of the Tiki-Taka family are composed of."""

from mho.update.transfer.learner import Parts, TransferLearner
from mho.update.transfer.settings import Average, Buffer, Chopper, LastPeriod, Schedule, Speeds

__all__ = ["Average", "Buffer", "Chopper", "LastPeriod", "Parts", "Schedule", "Speeds", "TransferLearner"]
