"""A live page of a training run or a sweep: `mho watch DIR` in a shell, `mho.watch.serving(DIR)` in Python."""

from mho.watch.server import Server, serving
from mho.watch.view import View, look

__all__ = ["Server", "View", "look", "serving"]
