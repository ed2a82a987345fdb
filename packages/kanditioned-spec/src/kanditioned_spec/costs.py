"""How long an implementation takes, as a sum of works: what `impl="auto"` of a backend compares.

Every implementation does some of the same works, each a product of the sizes B, I, O, K. Its time
is near a sum of them with coefficients that belong to it and to a machine. Coefficients are data,
in a backend's `selection.json`, and made by measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

SYMBOLIC = 1024
"""The size that is assumed where a compiler traces with an unknown one."""


class Sizes(NamedTuple):
    """Sizes of a layer at a batch.

    Attributes:
        batch: Number of rows, B.
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        num_control_points: Number of control points of each function, K.
    """

    batch: int
    in_features: int
    out_features: int
    num_control_points: int


WORKS: dict[str, Callable[[int, int, int, int], int]] = {
    "call": lambda b, i, o, k: 1,
    "features": lambda b, i, o, k: i,
    "inputs": lambda b, i, o, k: b * i,
    "outputs": lambda b, i, o, k: b * o,
    "edges": lambda b, i, o, k: b * i * o,
    "odd edges": lambda b, i, o, k: b * i * (o % 16),
    "looped edges": lambda b, i, o, k: b * i * o if i >= 8 else 0,
    "basis": lambda b, i, o, k: b * i * k,
    "far basis": lambda b, i, o, k: max(0, b * i * k - 2**19),
    "products": lambda b, i, o, k: b * i * o * k,
    "knots": lambda b, i, o, k: i * k,
    "control points": lambda b, i, o, k: i * k * o,
}
"""How much there is of each work: numbers read or written, or multiplied. Outputs beyond a multiple
of 16 do not fill a vector. A sum over fewer than eight features is no loop to PyTorch's compiler.
What a basis has beyond 2 MiB of float32 is far from the processor."""

Costs = Mapping[str, float]
"""Nanoseconds per unit of each work; what is left out is free."""


def predict(costs: Costs, sizes: Sizes) -> float:
    """Return the time in nanoseconds."""
    return sum(each * WORKS[work](*sizes) for work, each in costs.items())


def cheapest(candidates: Mapping[str, Costs], sizes: Sizes) -> str:
    """Return the name with the lowest predicted time, the first of equals."""
    return min(candidates, key=lambda name: predict(candidates[name], sizes))
