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

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import validate

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class Location(NamedTuple):
    """Interval and fraction of every input, each of the shape of the input."""

    interval: Indices
    fraction: Array


class Grid(NamedTuple):
    """The knots of a layer: a value, of which every other grid is made anew.

    It is a named tuple rather than a dataclass, since compilers and pytrees look into tuples.

    Attributes:
        num_control_points: Number of control points of each function, K >= 2.
        spline_width: w > 0, the width of the domain [-w/2, w/2] in input units.

    Example:
        >>> grid = Grid(5, 4.0)
        >>> grid.knots().tolist()
        [-2.0, -1.0, 0.0, 1.0, 2.0]
        >>> grid.widened(1)
        Grid(num_control_points=7, spline_width=6.0)
    """

    num_control_points: int
    spline_width: float

    @classmethod
    def from_arguments(cls, where: str, num_control_points: int, spline_width: float) -> Grid:
        """Build a grid from arguments of the callable `where`, which errors name.

        Raises:
            TypeError: An argument is not a number, or the first not an integer.
            ValueError: An argument is out of range.
        """
        count = validate.num_control_points(where, num_control_points)
        return cls(count, validate.spline_width(where, spline_width))

    def check_dtype(self, where: str, dtype: str) -> None:
        """Check that a layer of this grid can be evaluated in arrays of a dtype.

        The bounds leave room for what is computed in float32 or wider: h⁻³, the factor of the
        continuous penalty, is finite, and so are squares of control points as large as inputs,
        which float16 has to hold besides.

        Args:
            where: The callable that the width is an argument of, for errors.
            dtype: The name of the dtype that the parameters are stored in.

        Raises:
            ValueError: It cannot.
        """
        compute = np.finfo(np.float64 if dtype == "float64" else np.float32)
        lowest = float(compute.tiny) ** (1 / 3) * (self.num_control_points - 1)
        largest = math.sqrt(compute.max)
        if dtype == "float16":
            largest = 2 * float(np.finfo(np.float16).max)
        if not lowest <= self.spline_width <= largest:
            constraint = (
                f"from {lowest:.1e} to {largest:.1e} in {dtype} with "
                f"{self.num_control_points} control points"
            )
            remedy = "Scale the inputs, or use float64."
            got = self.spline_width
            raise ValueError(validate.message(where, "spline_width", constraint, got, remedy))

    @property
    def spacing(self) -> float:
        """The distance h = w / (K - 1) between two knots, in input units."""
        return self.spline_width / (self.num_control_points - 1)

    @property
    def knots_per_unit(self) -> float:
        """1/h = (K - 1) / w, the slope of the position in the input."""
        return (self.num_control_points - 1) / self.spline_width

    @property
    def is_dyadic(self) -> bool:
        """Whether w and K - 1 are powers of two: positions of knots are exact in any formula."""
        numbers = (self.spline_width, self.num_control_points - 1)
        return all(math.frexp(number)[0] == 0.5 for number in numbers)

    def knots(self) -> Array:
        """Return the knots' inputs, shape (K,): symmetric about zero, from -w/2 to w/2.

        Numerics:
            Both ends are w/2 to the last bit, and every knot is correctly rounded if w is a power
            of 2.
        """
        last = self.num_control_points - 1
        return self.spline_width / 2 * (np.arange(-last, last + 1, 2) / last)

    def position(self, x: npt.ArrayLike) -> Array:
        """Return u, the position of `x` in knot units.

        Numerics:
            Evaluated as (x + w/2) · (K - 1)/w. The sum u = x (K - 1)/w + (K - 1)/2 is the same
            number, but rounds to an error proportional to K near the first knot, where u is small.
        """
        return (np.asarray(x, dtype=np.float64) + self.spline_width / 2) * self.knots_per_unit

    def locate(self, x: npt.ArrayLike) -> Location:
        """Return the interval and the fraction of `x`.

        NaN is given interval 0 before any conversion to an integer (which would be undefined) and
        keeps its NaN in the fraction, so it reaches the output and nothing else.
        """
        u = self.position(x)
        lowest = np.where(np.isnan(u), 0.0, np.floor(u)).clip(0, self.num_control_points - 2)
        return Location(lowest.astype(np.intp), u - lowest)

    def refined(self, num_control_points: int) -> Grid:
        """Return the grid of the same domain with another number of control points."""
        return self._replace(num_control_points=num_control_points)

    def widened(self, intervals: int) -> Grid:
        """Return the grid of the same spacing with `intervals` more of them at each end."""
        count = self.num_control_points
        width = self.spline_width * (count - 1 + 2 * intervals) / (count - 1)
        return Grid(count + 2 * intervals, width)

    def fitted(self, reach: float, keep: str) -> Grid:
        """Return the grid whose domain holds [-reach, reach].

        Args:
            reach: r > 0, in input units.
            keep: `"spacing"` adds whole intervals where the domain is too narrow, and nothing where
                it is not. `"num_control_points"` makes the domain [-r, r] itself.
        """
        if keep == "num_control_points":
            return self._replace(spline_width=2 * reach)
        return self.widened(max(0, math.ceil((reach - self.spline_width / 2) / self.spacing)))
