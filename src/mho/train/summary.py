"""What summary.json says of a run."""

from __future__ import annotations

import platform
from importlib.metadata import version
from statistics import fmean
from typing import Any

import torch

from mho.over_chips import deviation
from mho.train import tally
from mho.train.loop import Trainer
from mho.train.where import said_of
from mho.version import __version__


def summarize(trainer: Trainer, lines: list[dict[str, Any]], setup: float) -> dict[str, Any]:
    """Return the summary of a run from the metrics of its epochs; `setup`: seconds before the first."""
    config, last = trainer.config, lines[-1]
    accuracy = last["test_accuracy"]
    return {
        "test_accuracy": accuracy,
        "mean": fmean(accuracy),
        "std": deviation(accuracy),
        "seconds": setup + sum(line["seconds"] for line in lines),
        "setup_seconds": setup,
        "epochs": last["epoch"],
        "steps": trainer.step,
        "samples": len(trainer.data.train_labels),
        "pulses": last["pulses"],
        "products": _total([line["products"] for line in lines]),
        "test_products": _total([line["test_products"] for line in lines]),
        "devices": tally.devices(trainer.model),
        "rules": tally.rules(trainer.model),
        **({} if trainer.shifted is None else {"zero_shift": trainer.shifted}),
        "max_abs_d": {"quantiles": tally.QUANTILES, "epochs": [line["max_abs_d"] for line in lines]},
        "preset": config.preset,
        "network": config.network,
        "data": {"name": trainer.data.name, "source": trainer.data.source},
        "seed": config.seed,
        "chips": list(config.chip_ids),
        "vary": list(config.vary),
        "batch": config.batch_size,
        "reduction": "sum",
        "lr": config.lr,
        "threads": torch.get_num_threads(),
        **said_of(trainer.device, config.precision),
        **({} if trainer.ranks is None else {"processes": trainer.ranks.size}),
        "versions": versions(),
    }


def _total(counts: list[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Return the sums over epochs of products by layer."""
    return {name: {key: sum(c[name][key] for c in counts) for key in per} for name, per in counts[-1].items()}


def versions() -> dict[str, str]:
    """Return the versions of what computes a run."""
    found = {name: version(name) for name in ("torch", "numba", "numpy")}
    return {"mho": __version__, "python": platform.python_version(), **found, "machine": platform.platform()}
