"""Sweeps over any setting: points packed as chips of few runs, spread over processes and machines."""
