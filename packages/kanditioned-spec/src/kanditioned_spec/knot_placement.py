"""Where the breakpoints of one feature go, for what its data look like.

Let the distinct values be a_1 < ... < a_m with weights n_1, ..., n_m. The rank of a value is its
mid-rank (n_1 + ... + n_{k-1} + n_k / 2) / n, moved and scaled so that a_1 has 0 and a_m has 1.
Between values it runs straight. Mid-ranks rise strictly even where values are repeated, so a point
mass needs no special case: its own value gets one number, and the steps to its neighbours get half
of its weight each.

    G = (1 - ρ) rank + ρ (a - a_1) / (a_m - a_1)

mixes in the straight line: no piece is flatter than ρ times the line. Pieces may still be steep,
where values nearly coincide or carry much weight. They are cut off at a slope σ, and the others
are raised by a factor λ >= 1 that makes up for it:

    ∫ min(λ G', σ) = 1,     σ = steepness / (distance from the 5 % to the 95 % point of the a_k).

The left side grows with λ, from 1 or less to σ (a_m - a_1) >= 1, so there is one λ. The scale of σ
counts every value once, so that neither a few outliers nor a heavy point mass set it. Breakpoints
are the preimages of evenly spaced levels of that map, or all values where there are no more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .grid import Array

NARROWEST, ROUNDING = 1e-18, 2.0**-48
"""Data within 1e-18, or within 16 spacings of float64 numbers, count as constant."""

LEAST_RISE = 2.0**-30
"""What a piece rises by at least, as a share of the domain; less would be lost to rounding."""


def is_constant(value: npt.ArrayLike, spread: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether data near `value` that spread that little differ by rounding alone."""
    return np.asarray(spread) < np.maximum(NARROWEST, ROUNDING * np.abs(value))


def unit(value: npt.ArrayLike) -> Array:
    """Return the scale of a constant feature: 1, or more where float64 would lose a fraction of 1.

    So a constant keeps its unit up to 4e9.
    """
    return np.maximum(1.0, 2.0**-32 * np.abs(value))


def ranks(weights: Array) -> Array:
    """Return mid-ranks, moved and scaled onto [0, 1]; a single value has 0."""
    middle = np.cumsum(weights) - weights / 2
    middle -= middle[0]
    return middle / (middle[-1] or 1.0)


def place(
    values: Array,
    weights: Array,
    num_breakpoints: int,
    spline_width: float,
    range_share: float,
    steepness: float,
) -> tuple[Array, Array]:
    """Return breakpoints and images, (M,) each, for distinct `values` (m,) in rising order."""
    extent = values[-1] - values[0]
    if is_constant(values[0], extent):
        images = np.linspace(-0.5, 0.5, num_breakpoints) * spline_width
        return values[0] + unit(values[0]) * images, images
    levels = (1 - range_share) * ranks(weights) + range_share * (values - values[0]) / extent
    low, high = np.quantile(values, [0.05, 0.95])
    levels = cap_slopes(values, levels, steepness / (high - low))
    points = values
    if values.size > num_breakpoints:
        even = np.linspace(0, 1, num_breakpoints)
        points = np.unique(np.interp(even, levels, values))  # neighbours may round to one number
        levels = np.interp(points, values, levels)
    kept = _risen(levels)
    points, levels = lengthen(points[kept], levels[kept], num_breakpoints)
    return points, spline_width * (levels - 0.5)


def cap_slopes(values: Array, levels: Array, steepest: float) -> Array:
    """Return levels from 0 to 1 whose slopes are min(λ · those of `levels`, `steepest`).

    With the pieces in order of falling slope, λ is the first quotient (what is left of 1 when the
    steepest t pieces are cut off) / (what the others rise) at which no other piece is too steep.
    """
    widths, rises = np.diff(values), np.diff(levels)
    slopes = rises / np.maximum(widths, 1e-200)  # denormal gaps would overflow
    order = np.argsort(-slopes, kind="stable")
    cut = np.concatenate([[0.0], np.cumsum(widths[order])[:-1]]) * steepest
    rest = np.cumsum(rises[order][::-1])[::-1]
    factors = (1 - cut) / np.maximum(rest, 1e-100)  # the flattest may not rise at all
    fits = factors * slopes[order] <= steepest
    factor = factors[fits.argmax()] if fits.any() else np.inf
    new = np.cumsum(np.minimum(factor * rises, steepest * widths))
    result: Array = np.append(0.0, new) / new[-1]
    return result


def _risen(levels: Array) -> list[int]:
    """Return the first and the last index, and between them what rises by `LEAST_RISE` at least."""
    kept = [0]
    for index in range(1, levels.size - 1):
        if min(levels[index] - levels[kept[-1]], levels[-1] - levels[index]) >= LEAST_RISE:
            kept.append(index)
    return [*kept, levels.size - 1]


def lengthen(points: Array, levels: Array, count: int) -> tuple[Array, Array]:
    """Add breakpoints on the line that the last piece goes on with, until there are `count`."""
    missing = np.arange(1, count - points.size + 1)
    step = 2 * (points[-1] - points[0])
    more = points[-1] + missing * step
    slope = (levels[-1] - levels[-2]) / (points[-1] - points[-2])
    return (
        np.concatenate([points, more]),
        np.concatenate([levels, levels[-1] + slope * (more - points[-1])]),
    )
