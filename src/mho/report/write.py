"""Writing report.html: which sections a report has, from the files of a run directory."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from mho.errors import CheckpointError
from mho.folders import write_text
from mho.report.devices import MOST, device_figures, devices_used
from mho.report.layers import Layer, read_layers
from mho.report.lead import lead, preset, quoted, title
from mho.report.matrices import layer_figures
from mho.report.page import Section, page
from mho.report.rundir import Arrays, Run, read_run
from mho.report.tables import config_tables, layer_table, origin_table, product_table
from mho.report.training import by_layer, training_figures


def write_report(run_dir: str | os.PathLike[str]) -> Path:
    """Write report.html into a run directory, from its own files only, and return its path.

    The page needs no network. A run without summary.json is reported as unfinished. Raises CheckpointError or
    ConfigError naming the file that is missing or damaged and what to do; an older report then stays.
    """
    run = read_run(Path(run_dir))
    layers = read_layers(Arrays(run.model), run.config.analog, _order(run))
    sections = [*_training(run), *_matrices(run, layers), *_devices(run, layers), *_settings(run)]
    path = run.folder / "report.html"
    text = page(title(run), lead(run, layers), sections)
    try:
        write_text(path, text)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}; make room or give write permission, then "
            f"mho report {run.folder}"
        ) from error
    return path


def _order(run: Run) -> list[str]:
    """Return the names of the layers in the order of the network, where the metrics say it."""
    return list(by_layer(run.metrics[-1], "pulses")) if run.metrics else []


def _training(run: Run) -> list[Section]:
    figures = training_figures(run)
    html = "" if figures else "<p>No epoch was trained, so there are no curves.</p>"
    return [Section("training", "Training", html, figures)]


def _matrices(run: Run, layers: list[Layer]) -> list[Section]:
    intro = (
        "<p>One line per analog layer, all chips together, and one for each further array of its weights. Lowest "
        "and highest: share of devices within 1 % of their range of a bound. Clipped: share of the initial weights "
        "that no device could hold. Folded: largest share of device draws that had the wrong sign and were taken by "
        "their absolute value.</p>"
    )
    found = [Section("layers", "Layers", intro + layer_table(run, layers))]
    epochs = int(run.metrics[-1]["epoch"]) if run.metrics else 0
    for layer in layers:
        figures = layer_figures(layer, epochs)
        found.append(Section(f"layer-{layer.name}", f"Layer {layer.name}", "", figures, level=3))
    products = product_table(run)
    if products:
        text = (
            "<p>Vectors that the arrays multiplied in training, on all chips, and how many of these "
            "products were repeats by bound management because an output had reached its bound.</p>"
        )
        found.append(Section("products", "Products and repeats", text + products))
    return found


def _devices(run: Run, layers: list[Layer]) -> list[Section]:
    """Return the response of every different device; an ideal update has none."""
    names = [layer.name for layer in layers if layer.weights is not None]
    used = devices_used(run.config.analog, names)
    found = []
    for n, one in enumerate(used[:MOST]):
        law = type(one.device).__name__
        where = "all layers" if len(one.layers) == len(names) else ", ".join(one.layers)
        where += "" if one.path == "device" else f" ({one.path})"
        text = f"<p>Law {escape(law)}, in {escape(where)}. {escape(_first_line(type(one.device)))}</p>"
        if run.config.analog.for_layer(one.layers[0]).update.ideal:
            text += '<p class="note">This run updated weights exactly, without pulses from this law.</p>'
        title = "Device" if len(used) == 1 else f"Device {n + 1}: {where}"
        figures = device_figures(one, n, run.config.seed, run.config.chip_ids)
        found.append(Section("device" if n == 0 else f"device-{n + 1}", title, text, figures))
    if len(used) > MOST:
        found[-1].below = f"<p>{len(used) - MOST} more devices of other layers are not shown.</p>"
    return found


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _settings(run: Run) -> list[Section]:
    text = (
        f'<p>Everything that the run was told. <span class="changed-key">Marked</span> settings differ from '
        f"a run of {escape(preset(run))} with nothing else said.</p>"
    )
    folder = quoted(run.folder)
    again = (
        f"<p>The same run again, byte for byte on the same machine and with the same number of threads:</p>"
        f"<pre><code>mho train {quoted(run.folder / 'config.toml')} --out NEW</code></pre>"
        f"<p>More epochs, from the last checkpoint:</p>"
        f"<pre><code>mho train --resume {folder} --epochs {2 * max(run.config.epochs, 1)}</code></pre>"
        f"<p>This report again:</p><pre><code>mho report {folder}</code></pre>"
    )
    return [
        Section("configuration", "Configuration", text + config_tables(run.config)),
        Section("repeat", "Repeat it", again + origin_table(run)),
    ]
