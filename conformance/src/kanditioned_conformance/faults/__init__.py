"""Planted faults: a backend that is right, and copies of it with one step done wrong.

Each must be noticed by the test that it names; `python -m kanditioned_conformance.faults` runs them
all and prints how many are. What looks like a fault and is none is in `equivalents`, with the
reason. A new fault is a class in one of these modules; nothing else needs to know of it.
"""

from __future__ import annotations

from . import (
    combined,
    constraints,
    construction,
    contract,
    domain,
    feature_major,
    files,
    input_maps,
    layer,
    layouts,
    linearity,
    maps,
    of_parameters,
    precision,
    refusals,
    sizes,
    state,
    widths,
    zeros,
)
from .base import FAULTS, Fault
from .equivalents import EQUIVALENTS, Equivalent
from .plain import Plain

__all__ = [
    "EQUIVALENTS",
    "FAULTS",
    "Equivalent",
    "Fault",
    "Plain",
    "combined",
    "constraints",
    "construction",
    "contract",
    "domain",
    "feature_major",
    "files",
    "input_maps",
    "layer",
    "layouts",
    "linearity",
    "maps",
    "of_parameters",
    "precision",
    "refusals",
    "sizes",
    "state",
    "widths",
    "zeros",
]
