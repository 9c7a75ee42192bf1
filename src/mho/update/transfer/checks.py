"""What the rules of the family refuse, and what they have by default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mho.devices.spread import numbers
from mho.errors import SettingsError
from mho.periphery.settings import Periphery
from mho.update.transfer.settings import Buffer, convert, speeds_of

TRANSFER_READ = Periphery(noise_management="none", bound_management="none")
"""Reads of a transfer are not scaled or repeated, as in IBM aihwkit's presets."""
CLEARED = Buffer(momentum=0.0)
"""A buffer that is empty after a pulse, as the chopped rules of IBM aihwkit have it."""


def check_rule(rule: Any, own: Sequence[tuple[str, str]] = ()) -> None:
    """Bring a rule's numbers to their type; raise ConfigError with everything that is wrong, and `own`."""
    wrong = list(own)
    if hasattr(rule, "gamma"):
        convert(rule, "gamma")
        if any(not 0 <= g < math.inf for g in numbers(rule.gamma)):
            wrong.append(("gamma", f"is the share of the fast array that is seen, from 0, found {rule.gamma}; give 0"))
    convert(rule, "fast_lr", "transfer_lr")
    try:
        speeds_of(rule)  # raises for impossible rates
    except SettingsError as error:
        wrong += error.problems
    if rule.read.noise_management == "running-max":
        wrong.append(
            (
                "read.noise_management",
                'is "running-max", a running mean of inputs, but the input of a transfer is always 1; give "none"',
            )
        )
    if wrong:
        raise SettingsError(wrong)
