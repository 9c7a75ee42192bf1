"""The report of a sweep: maps, curves and the requirement sheet on one page without a network, and CSV beside it."""

from mho.sweep.report.write import is_sweep, write_sweep_report

__all__ = ["is_sweep", "write_sweep_report"]
