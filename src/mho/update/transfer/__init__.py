"""Transfer between arrays: what the rules of the Tiki-Taka family are composed of. The parts at work are in `parts`."""

from mho.update.transfer.settings import Average, Buffer, Chopper, LastPeriod, Schedule, Speeds

__all__ = ["Average", "Buffer", "Chopper", "LastPeriod", "Schedule", "Speeds"]
