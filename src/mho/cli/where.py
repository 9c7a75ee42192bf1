"""The words of the options that say where a command computes."""

from __future__ import annotations

WHERE = "Where to compute: cpu, cuda (the GPU), cuda:1, or auto: a GPU where one will do."
PRECISION = "Of products on a GPU: float32, tf32 or bf16."
