"""What feasible control points of one feature are made of: blends of free ones, see `shapes`.

Arrays have shape (K, O): knots, then the edges of the feature.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .grid import Array, Indices

COLLINEAR = 8 * 2.0**-52
"""Points that lie above a chord by less than this share of their size count as lying on it."""

SPARE_BITS = 2
"""Bits of the significand that increments leave to sums."""


class Blend(NamedTuple):
    """Feasible points as weighted means of free ones: (1 - r) c_left + r c_right.

    Attributes:
        left: Indices along the knot axis, shape (K, O) for one feature.
        right: The same.
        ratio: r, of the same shape, in [0, 1].
        lifted: Whether the mean is kept, so that the mean of c - c' is added.
    """

    left: Indices
    right: Indices
    ratio: Array
    lifted: bool


def records(c: Array) -> tuple[Indices, Indices]:
    """Return where the running maximum from the left and the minimum from the right are taken.

    Of equal ones the nearest, so that points in order are their own records.
    """
    count = len(c)
    k = np.arange(count)[:, None]
    is_highest = c >= np.maximum.accumulate(c)
    is_lowest = c <= np.minimum.accumulate(c[::-1])[::-1]
    left = np.maximum.accumulate(np.where(is_highest, k, 0))
    right = np.minimum.accumulate(np.where(is_lowest, k, count - 1)[::-1])[::-1]
    return left, right


def hull(c: Array, monotone: int) -> Blend:
    """Return the lower hull as a blend: the vertices around every point, and where between.

    In every round all points above the chord of the two vertices around them go, until none is. A
    vertex of the hull lies above no chord, so it stays; points none of which lies above the chord
    of its neighbours form a convex chain, so it is the hull.
    """
    count = len(c)
    k = np.broadcast_to(np.arange(count)[:, None], c.shape)
    vertex = np.ones(c.shape, bool)
    while True:
        before, after = _around(vertex)
        a, b = np.take_along_axis(c, before, 0), np.take_along_axis(c, after, 0)
        chord = a + (k - before) / np.maximum(after - before, 1) * (b - a)
        allowed = COLLINEAR * (np.abs(a) + np.abs(b) + np.abs(c))
        above = vertex & (c - chord > allowed)
        above[[0, -1]] = False
        if not above.any():
            break
        vertex &= ~above
    index = np.arange(count)[:, None]
    left = np.maximum.accumulate(np.where(vertex, index, 0))
    right = np.minimum.accumulate(np.where(vertex, index, count - 1)[::-1])[::-1]
    if monotone:
        heights = np.where(vertex, c, np.inf)  # of equal ones that at which nothing is cut off
        low = heights.argmin(0) if monotone > 0 else count - 1 - heights[::-1].argmin(0)
        beyond = (k - low) * monotone < 0
        left, right = np.where(beyond, low, left), np.where(beyond, low, right)
    ratio = (k - left) / np.maximum(right - left, 1)
    return Blend(left, right, np.where(left == right, 0.0, ratio), lifted=True)


def _around(vertex: npt.NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Return the nearest vertices before and after every point, itself left out."""
    count = len(vertex)
    index = np.arange(count)[:, None]
    before = np.maximum.accumulate(np.where(vertex, index, 0))[:-1]
    after = np.minimum.accumulate(np.where(vertex, index, count - 1)[::-1])[::-1][1:]
    return np.concatenate([before[:1], before]), np.concatenate([after, after[-1:]])


def apply_blend(blend: Blend, c: Array) -> Array:
    """Return the feasible points of the free points `c`."""
    left = np.take_along_axis(c, blend.left, 0)
    right = np.take_along_axis(c, blend.right, 0)
    points: Array = (1 - blend.ratio) * left + blend.ratio * right
    return points + (c - points).mean(0) if blend.lifted else points


def in_exact_order(c: Array, monotone: int, convex: int, bits: int = 53) -> Array:
    """Return points whose increments are in order exactly: those given, if theirs are.

    Others go onto a grid g, fine against max |c|, on which sums do not round: increments become
    multiples of g, in order, and are summed up from the middle knot. `bits`
    are those of the significand.
    """
    increments = convex * np.diff(c, axis=0)
    direction = monotone * convex
    in_order = (np.diff(increments, axis=0) >= 0).all(0)
    if direction:
        in_order &= (direction * increments >= 0).all(0)
    largest = np.abs(c).max(0)
    exponent = np.ceil(np.log2(np.where(largest > 0, largest, 1.0)))
    g = np.exp2(np.maximum(exponent - (bits - SPARE_BITS), -1022))
    steps = np.maximum.accumulate(np.round(increments / g), axis=0)
    if direction:
        steps = direction * np.maximum(direction * steps, 0.0)
    middle = len(c) // 2
    risen = np.concatenate([np.zeros_like(c[:1]), np.cumsum(convex * steps, axis=0)])
    gridded = g * (np.round(c[middle] / g) + risen - risen[middle])
    points: Array = np.where(in_order, c, gridded)
    return points


def usable_edges(c: Array) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return which edges of (K, O) are finite, and the points with zeros in the others."""
    usable = np.asarray(np.isfinite(c).all(0))
    free: Array = np.where(usable, c, 0.0)
    return usable, free
