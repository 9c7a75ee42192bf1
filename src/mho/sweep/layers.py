"""Layers that points name by patterns: whether the network of a point has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mho.config import RunConfig
from mho.errors import ConfigError
from mho.nn.convert import unmatched
from mho.sweep.fields import LAYERS, Field


class LayerNames:
    """The layers of the networks of a sweep, each looked at once.

    start: the configuration without swept fields. fields: those that are swept.
    """

    def __init__(self, start: RunConfig, fields: Iterable[Field]) -> None:
        self.start = start
        self.patterns = {field.path: field.parts[2] for field in fields if field.parts[:2] == LAYERS}
        self.always = tuple(pattern for pattern, _ in start.analog.layers)
        self._known: dict[tuple[str, str], list[str] | None] = {}

    def why(self, values: Mapping[str, Any]) -> str:
        """Return why a point cannot be, as a pattern of it matches no layer of its network, or "".

        Raises DataError where the data are missing that a network is made for.
        """
        if not self.patterns and not self.always:
            return ""
        patterns = dict.fromkeys((*self.always, *(self.patterns[path] for path in values if path in self.patterns)))
        place = (values.get("network", self.start.network), values.get("data", self.start.data))
        if place not in self._known:
            self._known[place] = self._names(*place)
        names = self._known[place]
        return "" if names is None else unmatched(names, patterns)

    def _names(self, network: str, data: str) -> list[str] | None:
        """Return the names of a network's layers, None for one that cannot be: that its run says."""
        from mho.sweep.compute import loaded
        from mho.train.networks import make_network

        try:
            images = loaded(self.start.with_(network=network, data=data))
            made = make_network(network, images.shape, len(images.classes))
        except ConfigError:
            return None
        return [name for name, _ in made.named_modules() if name]
