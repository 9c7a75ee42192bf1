"""The report of a run: one HTML file with everything in it, made from the files of the run directory."""

from mho.report.write import write_report

__all__ = ["write_report"]
