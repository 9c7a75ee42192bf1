"""Kernels: laws bound to backends. The only room that knows Numba and Triton."""
