"""Reports: a run, or a device, on one HTML page with everything in it."""

from mho.report.device_page import DevicePage, show_device
from mho.report.write import write_report

__all__ = ["DevicePage", "show_device", "write_report"]
