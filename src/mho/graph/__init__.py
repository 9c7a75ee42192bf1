"""CUDA graphs: a whole training step launched at once."""

from mho.graph.training import TrainingGraph

__all__ = ["TrainingGraph"]
