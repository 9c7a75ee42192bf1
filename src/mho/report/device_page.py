"""A device on one page: figures, numbers, and where it comes from; as HTML, as a picture, in a notebook."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np

from mho.characterize import Characteristics, characterize
from mho.characterize.subject import chips_of
from mho.config.describe import beside_the_law, docstring, first_line, published_as
from mho.config.device_file import dump_device
from mho.config.device_named import device_named
from mho.config.show import show
from mho.devices import Device, catalogue
from mho.errors import ConfigError, LawError, MhoError
from mho.folders import replacing, write_text
from mho.report import scale, static
from mho.report.device_figures import parameter_figures, response_figure, steps_figure, symmetry_words
from mho.report.device_numbers import MEANINGS, cells, heads
from mho.report.figure import Figure
from mho.report.page import Section, page
from mho.report.tables import table

DEVICES, FEW = 200, 64
"""Devices drawn per chip: of one chip, and of each of several."""


@dataclass(frozen=True)
class DevicePage:
    """What `show_device` returns: a notebook shows it, `save` writes it; `found` holds all the numbers."""

    name: str
    found: Characteristics

    @cached_property
    def figures(self) -> list[Figure]:
        """The large figures: response and steps."""
        return [response_figure(self.found), steps_figure(self.found)]

    @cached_property
    def parameters(self) -> list[Figure]:
        """A histogram of each quantity that differs between devices."""
        return parameter_figures(self.found)

    def png(self) -> bytes:
        """Return all figures as one picture."""
        return static.png(self.name, self.figures, self.parameters)

    def html(self) -> str:
        """Return a page with everything in it, which needs no network."""
        sections = [
            Section("response", "Response and steps", figures=self.figures),
            Section("numbers", "Numbers", self._numbers(), below=_meanings()),
            Section("parameters", "What differs between devices", "", self.parameters),
            Section("stated", "What is stated", self._stated()),
            Section("file", "As a file", _as_file(self.found.device)),
        ]
        return page(self.name, self._lead(), sections, footer="Written by mho. This file needs no network.")

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the page (`path` ends in .html), the picture (.png), or both into a directory; return what was written.

        Files are written whole or not at all. Raises ConfigError for another ending.
        """
        target = Path(path)
        if target.suffix == ".html":
            write_text(target, self.html())
        elif target.suffix == ".png":
            picture = self.png()
            with replacing(target) as temporary:
                temporary.write_bytes(picture)
        elif target.suffix and not target.is_dir():
            raise ConfigError(f"{target} ends in {target.suffix}; a device is saved as .html, .png or into a directory")
        else:
            return [file for end in ("html", "png") for file in self.save(target / f"device.{end}")]
        return [target]

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture and the numbers."""
        data = b64encode(self.png()).decode("ascii")
        picture = f'<img alt="{escape(self.name)}" src="data:image/png;base64,{data}" style="max-width:100%">'
        return picture + self._numbers()

    def __repr__(self) -> str:
        return f"<DevicePage of {self.name}: save(path) writes it, a notebook shows it>"

    def _numbers(self) -> str:
        return table(heads(self.found), cells(self.found))

    def _lead(self) -> str:
        kind = type(self.found.device)
        text = f'<p class="result">Law <b>{escape(kind.__name__)}</b>. {escape(first_line(kind))}</p>'
        if len(self.found.chips) > 1:
            return f"{text}<p>Its parameters differ between {len(self.found.chips)} chips.</p>"
        return f"{text}<p>{escape(symmetry_words(self.found))}</p>"

    def _stated(self) -> str:
        device = self.found.device
        origin, window = published_as(device), device.window
        source = f"<p>{escape(origin)}</p>" if origin else ""
        lines = beside_the_law(device)
        if window is not None:
            ends = scale.siemens(window.low), scale.siemens(window.high)
            lines.append(f"In siemens: w = {window.first} is {ends[0]}, w = +1 is {ends[1]}.")
        beside = "".join(f"<li>{escape(line)}</li>" for line in lines)
        return (
            f"{table(('field', 'value'), [(n, show(v)) for n, v in vars(device).items() if v])}{source}"
            f"{f'<ul>{beside}</ul>' if beside else ''}<pre><code>{escape(docstring(type(device)))}</code></pre>"
        )


def _as_file(device: Device) -> str:
    """Return the device as a TOML to copy, or nothing where no file can name its class."""
    try:
        text = dump_device(device)
    except ConfigError:
        return ""
    use = "<p>Saved as device.toml, <code>mho train --set device=device.toml</code> trains on this device.</p>"
    return f"{use}<pre><code>{escape(text)}</code></pre>"


def _meanings() -> str:
    return "<ul>" + "".join(f"<li>{escape(name)}: {escape(text)}</li>" for name, text in MEANINGS) + "</ul>"


def show_device(
    device: Device | type[Device] | str,
    *,
    pulses: int | None = None,
    devices: int | None = None,
    seed: int = 0,
    name: str | None = None,
) -> DevicePage:
    """Return the page of a device: its response to pulses, step sizes, spread, number of states.

    device: an object, a class with defaults, or any name of `mho.config.device_named`. A notebook shows the page;
        `.save("device.html")`, `.save("device.png")` or `.save(directory)` writes it.
    pulses: up, and as many down; without it, enough to cross the range. devices: drawn per chip, 200 if not given (64
        where parameters are lists over chips, which are then all drawn).
    Raises ConfigError for what is no device, LawError for a law or `cells` that fails.
    """
    title = name or (device if isinstance(device, str) else "")
    one = device_named(device) if isinstance(device, str) else device() if isinstance(device, type) else device
    chips = chips_of(one)
    count = (DEVICES if chips == 1 else FEW) if devices is None else devices
    try:
        with np.errstate(all="ignore"):  # what is not finite is an error with words
            found = characterize(one, pulses, count, seed, chips=tuple(range(chips)))
    except MhoError:
        raise
    except Exception as error:  # a user's own law and cells may raise anything
        raise LawError(f"{type(one).__name__} fails with {type(error).__name__}: {error}{_where(error)}") from error
    row = next((row for row in catalogue.devices() if row.device == one), None)
    return DevicePage(title or (row.name if row else type(one).__name__), found)


def _where(error: Exception) -> str:
    """Return the line of the user's own file at which an error was raised."""
    here, found = Path(__file__).parents[1], ""
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if here not in file.parents and "site-packages" not in file.parts:
            found = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found
