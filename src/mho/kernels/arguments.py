"""Arguments of kernels by name: a block of 64-bit words whose places each template declares once.

A template says `# arguments of NAME: ticket entered total ...` above a kernel and writes `a.total` in it; the builder
turns that into the word's number. Python fills the same block by the same names.
"""

from __future__ import annotations

import re
import threading
from array import array
from functools import cache
from importlib import resources

SIZE = 96
"""Words of a block. The last three are the counters behind `ticket` (next piece), `entered` (threads) and `hits`."""

_DECLARATION = re.compile(r"# arguments of (\w+): ((?:.*\n# )*.*)\n@cfunc")
_local = threading.local()


def template(name: str) -> str:
    """Return the text of a kernel template."""
    return resources.files("mho.kernels").joinpath("templates", f"{name}.py.in").read_text(encoding="utf-8")


def places(text: str) -> dict[str, dict[str, int]]:
    """Return, for every kernel that a template declares, the number of each argument's word."""
    found = {}
    for kernel, names in _DECLARATION.findall(text):
        found[kernel] = {name: i for i, name in enumerate(names.replace("#", " ").split())}
        assert len(found[kernel]) < SIZE - 3, kernel
    return found


def numbered(text: str) -> str:
    """Return a template with `a.name` in place of numbers replaced by the words' numbers."""
    pieces = re.split(r"(?=# arguments of )", text)
    known = places(text)
    for i, piece in enumerate(pieces):
        if match := re.match(r"# arguments of (\w+):", piece):
            words = known[match[1]]
            pieces[i] = re.sub(r"\ba\.([a-z]\w*)", lambda m, words=words: f"a[{words[m[1]]}]", piece)
    return "".join(pieces).replace("(SIZE,)", f"({SIZE},)")


@cache
def _places_of(source: str, kernel: str) -> dict[str, int]:
    return places(template(source))[kernel]


class Block:
    """The arguments of one kernel, filled by name; made once per thread and kernel, and used for every call."""

    __slots__ = ("address", "places", "words")

    def __init__(self, source: str, kernel: str) -> None:
        self.places = _places_of(source, kernel)
        self.words = array("q", bytes(8 * SIZE))
        self.address = self.words.buffer_info()[0]
        self.words[self.places["ticket"]] = self.address + 8 * (SIZE - 1)
        if "entered" in self.places:
            self.words[self.places["entered"]] = self.address + 8 * (SIZE - 2)
        if "hits" in self.places:
            self.words[self.places["hits"]] = self.address + 8 * (SIZE - 3)

    def set(self, **values: int) -> None:
        """Write arguments by name; those not named keep their values."""
        words, places = self.words, self.places
        for name, value in values.items():
            words[places[name]] = value

    def get(self, name: str) -> int:
        """Return an argument, which the kernel may have changed."""
        return self.words[self.places[name]]

    def rewind(self) -> None:
        """Put the counters back to 0, as every launch needs them."""
        self.words[SIZE - 1] = self.words[SIZE - 2] = self.words[SIZE - 3] = 0

    @property
    def hits(self) -> int:
        """What the threads of the last launch counted together."""
        return self.words[SIZE - 3]


def block(source: str, kernel: str) -> Block:
    """Return this thread's argument block of a kernel in a template."""
    held: dict[str, Block] = _local.__dict__.setdefault("blocks", {})
    found = held.get(kernel)
    if found is None:
        found = held[kernel] = Block(source, kernel)
    return found
