"""Where the knots of a column are placed."""

from __future__ import annotations

import numpy as np

from .arrays import Vector

RANK_SHARE = 0.7
"""How far knots follow the ranks of the data; the rest follows their range."""
FEW, MANY, MANY_SAMPLES = 24, 32, 10_000
"""Knots of a column: `MANY` above that many samples."""
MOST, SHARED, SAMPLES = 64, 240, 10
"""In a table of few columns each gets more, up to `MOST`: `SHARED` in all, and one for so many
samples."""
MOST_CONTROL_POINTS = 4096
"""Of all columns together: a wide table gets fewer for each, and its equations stay solvable."""
LEAST, EACH = 5, 4
"""Fewest knots of a column, as many as there is room for, and knots of all columns for a sample."""


def default_count(samples: int, columns: int) -> int:
    """Return the number of knots of each column by default."""
    wanted = FEW if samples <= MANY_SAMPLES else MANY
    wanted = max(wanted, min(MOST, SHARED // columns, samples // SAMPLES))
    return min(wanted, max(LEAST, min(MOST_CONTROL_POINTS, EACH * samples) // columns))


def place(values: Vector, weight: Vector, count: int) -> Vector:
    """Return increasing knots, at most `count`, at values of a column.

    The distinct values where there are no more than `count`. Otherwise u = 0.7 · rank +
    0.3 · (v - min) / (max - min) is inverted at evenly spaced u, and each knot moved to the
    nearest value: between two neighbouring values a knot would have no data.

    Args:
        values: Finite values (N,), at least one.
        weight: Weights (N,) > 0; a weight of two is the same as the value twice.
        count: Most knots, at least two.
    """
    if (weight == weight[0]).all():  # sorting without the order takes a third of the time
        distinct, each = np.unique(values, return_counts=True)
    else:
        distinct, index = np.unique(values, return_inverse=True)
        each = np.bincount(index, weight)
    if len(distinct) <= count:
        return distinct
    rank = np.cumsum(each) - each / 2
    scaled = distinct / max(abs(distinct[0]), abs(distinct[-1]))
    u = RANK_SHARE * _to_unit(rank) + (1 - RANK_SHARE) * _to_unit(scaled)
    at = np.interp(np.linspace(0, 1, count), u, scaled)
    above = np.searchsorted(scaled, at).clip(1, len(scaled) - 1)
    is_below = at - scaled[above - 1] < scaled[above] - at
    placed: Vector = distinct[np.unique(np.r_[0, above - is_below, len(scaled) - 1])]
    return placed


def _to_unit(values: Vector) -> Vector:
    unit: Vector = (values - values[0]) / (values[-1] - values[0])
    return unit
