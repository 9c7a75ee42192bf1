"""Searches: Optuna asks for points in batches, which are packed on chips as those of any sweep."""

from mho.sweep.search.settings import Search

__all__ = ["Search"]
