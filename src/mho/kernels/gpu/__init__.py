"""The kernels on NVIDIA GPUs: Triton, from the same laws, draws and primitives as on the CPU."""
