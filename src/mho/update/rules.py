"""The learning rules there are, by name."""

from mho.update.pulsed import Pulsed
from mho.update.rule import Rule

RULES: dict[str, type[Rule]] = {"pulsed": Pulsed}
