"""mho: neural networks on simulated analog crossbar arrays of resistive memory devices."""

__version__ = "0.1.0"
