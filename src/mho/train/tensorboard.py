"""Event files of TensorBoard beside a run, as an option."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.errors import ConfigError
from mho.train.metrics import read_lines
from mho.train.progress import Silent, mean

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
CURVES = {
    "train_loss": "loss/training", "test_loss": "loss/test",
    "train_accuracy": "accuracy/training", "test_accuracy": "accuracy/test",
}  # fmt: skip
FEW = 12
"""Up to so many chips have curves of their own, each as a run of TensorBoard."""


def check_installed() -> None:
    """Raise ConfigError where TensorBoard is missing."""
    try:
        import_module("tensorboard")
    except ImportError as error:
        raise ConfigError(
            "event files were asked for (--tensorboard), and tensorboard is not installed; "
            "pip install 'mho[tensorboard]', or leave the option out: mho watch needs nothing more"
        ) from error


class TensorBoard(Silent):
    """Writes event files into RUN_DIR/tensorboard while another reporter shows the run.

    The step of every scalar is the number of training steps. Means over chips are in the folder itself, the chips in
    `chip-K`. A resumed run goes on with the curves; what a killed one had written beyond its checkpoint is dropped by
    TensorBoard, and epochs before the option was given are written at once.
    """

    def __init__(self, shown: Silent, run: Path, chips: tuple[int, ...]) -> None:
        check_installed()
        self.shown, self.run = shown, run
        self.chips = chips if 1 < len(chips) <= FEW else ()
        self.writers: dict[str, SummaryWriter] = {}
        self.done = self.steps = 0
        self.pulses: dict[str, float] = {}

    def phase(self, text: str) -> None:
        """Pass it on."""
        self.shown.phase(text)

    def begin(self, *, epochs: int, steps: int, done: int) -> None:
        """Open the files, and write the epochs that no file tells of."""
        self.steps, self.done = steps, done
        folder, lines = self.run / FOLDER, read_lines(self.run)
        told = any(folder.glob("events.out.tfevents.*"))
        # The last epoch is written again: a kill may have come between its checkpoint and its events.
        purge = (lines[-1]["steps"] if lines else 0) if told else None
        for name in (".", *(f"chip-{k}" for k in self.chips)):
            self.writers[name] = _writer(folder / name, purge)
        for n, line in enumerate(lines, 1):
            if told and n < len(lines):
                self._count(line)
            else:
                self._write(line)
        self.shown.begin(epochs=epochs, steps=steps, done=done)

    def update(self, steps: int, loss: float, accuracy: float) -> None:
        """Write how the last steps went."""
        at = self.done * self.steps + steps
        self.writers["."].add_scalar("running/loss", loss, at)
        self.writers["."].add_scalar("running/accuracy", accuracy, at)
        self.shown.update(steps, loss, accuracy)

    def epoch(self, line: dict[str, Any]) -> None:
        """Write how an epoch ended."""
        self.done = line["epoch"]
        self._write(line)
        self.shown.epoch(line)

    def close(self) -> None:
        """Close the files."""
        for writer in self.writers.values():
            writer.close()
        self.shown.close()

    def _write(self, line: dict[str, Any]) -> None:
        found = {tag: mean(line[key]) for key, tag in CURVES.items() if key in line}
        found |= {"epoch": line["epoch"], "seconds per epoch": line["seconds"]}
        found |= {f"pulses per epoch/{name}": count for name, count in self._count(line).items()}
        found |= {f"max abs d, median/{name}": mean([q[len(q) // 2]]) for name, q in line["max_abs_d"].items()}
        rates = line["lr"] if isinstance(line["lr"], list) else [line["lr"]]
        found["learning rate"] = mean(rates)
        self._scalars(".", found, line["steps"])
        for n, chip in enumerate(self.chips):
            values = {tag: mean([line[key][n]]) for key, tag in CURVES.items() if key in line}
            self._scalars(f"chip-{chip}", values, line["steps"])

    def _scalars(self, name: str, found: dict[str, float], step: int) -> None:
        writer = self.writers[name]
        for tag, value in found.items():
            writer.add_scalar(tag, value, step)
        writer.flush()

    def _count(self, line: dict[str, Any]) -> dict[str, float]:
        """Return the pulses of an epoch by layer, mean over chips: the metrics hold totals since the start."""
        totals = {name: mean(counts) for name, counts in line["pulses"].items()}
        counts = {name: total - self.pulses.get(name, 0.0) for name, total in totals.items()}
        self.pulses = totals
        return counts


def _writer(folder: Path, purge: int | None) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=purge)
