"""Where an input falls on the uniform grid of control points.

The K control points of an edge sit at evenly spaced knots over [-w/2, w/2], a distance
h = w / (K - 1) apart. In knot units the position of x is

    u = x (K - 1) / w + (K - 1) / 2,

so that u = 0 at the first knot and u = K - 1 at the last. It splits into the interval
l = clip(floor(u), 0, K - 2) and the fraction t = u - l: inside the domain 0 <= t <= 1, outside it
t leaves that range and the first or last piece extrapolates linearly. A knot belongs to the
interval on its right, the last knot to the last interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class Location(NamedTuple):
    """Interval and fraction of every input, each of the shape of the input."""

    interval: Indices
    fraction: Array


def spacing(num_control_points: int, spline_width: float) -> float:
    """Return h, the distance between two knots in input units."""
    return spline_width / (num_control_points - 1)


def knots(num_control_points: int, spline_width: float) -> Array:
    """Return the knots' inputs, shape (K,): symmetric about zero, from -w/2 to w/2.

    Numerics:
        Both ends are w/2 to the last bit, and every knot is correctly rounded if w is a power of 2.
    """
    last = num_control_points - 1
    return spline_width / 2 * (np.arange(-last, last + 1, 2) / last)


def position(x: npt.ArrayLike, num_control_points: int, spline_width: float) -> Array:
    """Return u, the position of `x` in knot units.

    Numerics:
        Evaluated as (x + w/2) · (K - 1)/w. The sum u = x (K - 1)/w + (K - 1)/2 is the same number,
        but rounds to an error proportional to K near the first knot, where u is small.
    """
    x = np.asarray(x, dtype=np.float64)
    return (x + spline_width / 2) * ((num_control_points - 1) / spline_width)


def locate(x: npt.ArrayLike, num_control_points: int, spline_width: float) -> Location:
    """Return the interval and the fraction of `x`.

    NaN is given interval 0 before any conversion to an integer (which would be undefined) and
    keeps its NaN in the fraction, so it reaches the output and nothing else.
    """
    u = position(x, num_control_points, spline_width)
    lowest = np.where(np.isnan(u), 0.0, np.floor(u)).clip(0, num_control_points - 2)
    return Location(lowest.astype(np.intp), u - lowest)
