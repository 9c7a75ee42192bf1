"""The learning rules there are, by name, and where each is; a rule's code is loaded when it is named."""

from __future__ import annotations

from importlib import import_module

from mho.update.rule import Rule

HOMES = {
    "pulsed": "pulsed:Pulsed",
    "tiki-taka": "tiki_taka:TikiTaka",
    "ttv2": "ttv2:TTv2",
    "c-ttv2": "chopped:ChoppedTTv2",
    "agad": "agad:Agad",
    "residual": "residual:Residual",
    "mixed-precision": "mixed_precision:MixedPrecision",
    "msp-lsp": "msp_lsp:MspLsp",
}


def rules() -> dict[str, type[Rule]]:
    """Return the rules by name."""
    return {name: rule(name) for name in HOMES}


def rule(name: str) -> type[Rule]:
    """Return the rule of a name; raise KeyError for one that there is not."""
    module, _, kind = HOMES[name].partition(":")
    found: type[Rule] = getattr(import_module(f"mho.update.{module}"), kind)
    return found
