"""The checks: each runs one operation of a backend on one case and compares it with the spec.

They are plain functions, so they work without pytest: `layer.check_forward(backend, case)`.
"""

from __future__ import annotations

from . import (
    constraints,
    construction,
    contract,
    files,
    input_maps,
    layer,
    maps,
    non_finite,
    threads,
)
from .base import NEEDS, Check

CHECKS: dict[str, Check] = {
    name: function
    for module in (
        *(layer, maps, contract, construction, constraints, input_maps, files, non_finite),
        threads,
    )
    for name, function in vars(module).items()
    if name.startswith("check_")
}
"""All checks by name."""

__all__ = [
    "CHECKS",
    "NEEDS",
    "Check",
    "constraints",
    "construction",
    "contract",
    "files",
    "input_maps",
    "layer",
    "maps",
    "non_finite",
    "threads",
]
