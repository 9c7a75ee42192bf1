"""Periphery: DAC, ADC, noise, noise management and bound management of an analog product."""

from mho.periphery.settings import Periphery

__all__ = ["Periphery"]
