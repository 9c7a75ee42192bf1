"""A fit on one page: what was found, how good it is, what was left out; as HTML, as a picture, as JSON and TOML."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from mho.characterize.fitting import Fit
from mho.characterize.fitting.population import LEVEL
from mho.characterize.fitting.summary import comments, summary
from mho.config.device_file import dump_device
from mho.folders import replacing, write_text
from mho.report import static
from mho.report.figure import Figure
from mho.report.fitting_figures import (
    correlation_figures,
    data_figure,
    parameter_figures,
    population_figure,
    residual_figures,
)
from mho.report.fitting_numbers import correlation_rows, failed_rows, law_rows, parameter_rows
from mho.report.page import Section, page
from mho.report.tables import table


@dataclass(frozen=True)
class FitReport:
    """The files of a fit; `save` writes them all."""

    fit: Fit

    @cached_property
    def large(self) -> list[Figure]:
        """The large figures: data over fit, all devices, residuals."""
        return [data_figure(self.fit), population_figure(self.fit), *residual_figures(self.fit)]

    @cached_property
    def small(self) -> list[Figure]:
        """The small figures: distributions of the parameters, correlated pairs."""
        return [*parameter_figures(self.fit), *correlation_figures(self.fit)]

    @property
    def title(self) -> str:
        """The law, and where the measurements come from."""
        return f"{self.fit.law} fitted to {Path(self.fit.measurements.path).name}"

    def html(self) -> str:
        """Return a page with everything in it, which needs no network."""
        f = self.fit
        rest = [f"<li><b>{escape(name)}</b> {escape(why)}</li>" for name, why in f.left_out.items()]
        notes = "".join(f"<li>{escape(note)}</li>" for note in f.notes)
        laws = table(*law_rows(f)) + table(("not fitted", "why"), failed_rows(f))
        stars = f"<p>* significant at {100 * LEVEL:g} % over all pairs together: kept in the device.</p>"
        sections = [
            Section("fit", "Data and fit", figures=self.large),
            Section("device", "The device", table(*parameter_rows(f))),
            Section("parameters", "What differs between devices", "", self.small),
            Section("correlations", "Correlations", table(*correlation_rows(f)) + stars),
            Section("laws", "Laws", RANKED + laws),
            Section("measurements", "The measurements", f"<ul>{notes}</ul>" if notes else "<p>Nothing to report.</p>"),
            Section("left-out", "Left out", f"<ul>{''.join(rest)}</ul>" if rest else "<p>No device.</p>"),
            Section("toml", "As a file", f"<pre><code>{escape(self.toml())}</code></pre>"),
        ]
        lead = (
            f"<p>{len(f.fit.devices)} of {len(f.measurements)} devices of {escape(f.measurements.path)}. "
            "Train with it: <code>mho train --set device=device.toml</code></p>"
        )
        return page(self.title, lead, sections, footer="Written by mho. This file needs no network.")

    def toml(self) -> str:
        """Return the fitted device as TOML."""
        return dump_device(self.fit.device, comments(self.fit))

    def json(self) -> str:
        """Return all numbers as JSON."""
        return json.dumps(summary(self.fit), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write device.toml, fit.json, fit.png and fit.html into a directory; return their paths."""
        folder = Path(folder)
        paths = [folder / name for name in ("device.toml", "fit.json", "fit.png", "fit.html")]
        write_text(paths[0], self.toml())
        write_text(paths[1], self.json())
        picture = static.png(self.title, self.large, self.small)
        with replacing(paths[2]) as temporary:
            temporary.write_bytes(picture)
        write_text(paths[3], self.html())
        return paths


RANKED = (
    "<p>BIC and AIC: differences to the best law, per device, of -2 log-likelihood plus a penalty for parameters; the "
    "lower the better. R²: of the noise-free response, of the middle device. Error: standard deviation of a reading "
    "around its prediction from the readings before. Laws that are clearly worse are compared on some devices only.</p>"
)
