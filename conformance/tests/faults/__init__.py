"""Planted faults: the plain backend with one step done wrong.

A new one is a class in one of these modules; nothing else needs to know of it.
"""

from __future__ import annotations

from . import contract, layer, maps, precision
from .base import FAULTS, Fault

__all__ = ["FAULTS", "Fault", "contract", "layer", "maps", "precision"]
