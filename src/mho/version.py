"""The version of mho."""

__version__ = "0.1.0"
