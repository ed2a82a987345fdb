r"""What may stand before a layer: a fixed map per feature, from input units to the layer's domain.

A feature i has M breakpoints p_0 < ... < p_{M-1} in input units and their images
v_0 < ... < v_{M-1} in units of the domain. Between two of them the map is a straight line, and
the end pieces go on:

    z(x) = v_j + s_j (x - p_j),     s_j = (v_{j+1} - v_j) / (p_{j+1} - p_j) > 0,

where j = clip(#{k : p_k <= x} - 1, 0, M - 2): a breakpoint belongs to the piece on its right, the
last one to the last piece. So z is strictly increasing, dz/dx is s_j, and the inverse is the same
kind of map with p and v exchanged.

A spline behind the map is a linear spline again. Its knots are the preimages of the uniform ones
where those are the breakpoints, as `quantiles` makes them for M = K. The layer keeps its uniform
knots and its kernels; only the first coordinates are others.

**Numerics.** x - p_j is a difference of two float64 numbers, and what follows is rounded only then
to the dtype of the layer. So a time of 1.7e9 seconds, which float32 knows to 128 seconds, keeps
its minutes if it comes as float64. An inner piece is cut off at its right end,
z = min(v_j + s_j (x - p_j), v_{j+1}): without that, rounding could carry z past v_{j+1}, and the
map would fall by one unit in the last place there. As it is, x <= x' gives z(x) <= z(x') in every
arithmetic whose operations round monotonically. NaN gives NaN, in the slope too; ±inf gives ±inf.
`numerics.input_map_condition` bounds the error.
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array, Indices
from .knot_placement import is_constant, place, ranks, unit
from .sketch import Data, Sketch, real_numbers, summaries

LARGEST = 1e36
"""Bound of breakpoints and images, and of slopes and their reciprocals: float32 holds them all."""


STRAIGHT = 1e-12
"""Slopes that differ by less than this share make a straight line."""


class InputMap:
    """A strictly increasing, piecewise linear map of every input feature.

    Args:
        breakpoints: p in input units, shape (I, M) with M >= 2, strictly increasing along M.
        images: v in units of the layer's domain, of the same shape, strictly increasing.

    Attributes:
        breakpoints: As given, float64.
        images: As given, float64.
        slopes: s, shape (I, M - 1), in units of the domain per input unit.

    Raises:
        ValueError: A shape does not fit, numbers do not increase, or a magnitude (of a number or
            of a slope, or its reciprocal) is above 1e36.

    Example:
        >>> InputMap([[0.0, 10.0, 1000.0]], [[-2.0, 0.0, 2.0]])([[5.0], [505.0], [1495.0]]).ravel()
        array([-1.,  1.,  3.])
    """

    def __init__(self, breakpoints: npt.ArrayLike, images: npt.ArrayLike) -> None:
        self.breakpoints: Array = _increasing("breakpoints", breakpoints)
        self.images = _increasing("images", images)
        if self.breakpoints.shape != self.images.shape:
            constraint = f"of the shape of breakpoints, {self.breakpoints.shape}"
            remedy = "Every breakpoint has one image."
            raise ValueError(_message("images", constraint, f"{self.images.shape}", remedy))
        self.slopes: Array = np.diff(self.images) / np.diff(self.breakpoints)
        if not ((self.slopes >= 1 / LARGEST) & (self.slopes <= LARGEST)).all():
            constraint = f"of slopes between {1 / LARGEST:g} and {LARGEST:g}"
            got, remedy = "others", "Take points further apart, or scale the input."
            raise ValueError(_message("images", constraint, got, remedy))
        for array in (self.breakpoints, self.images, self.slopes):
            array.setflags(write=False)
        self._hash = hash((self.breakpoints.tobytes(), self.images.tobytes()))

    @property
    def in_features(self) -> int:
        """The number of inputs, I."""
        return len(self.breakpoints)

    @property
    def num_breakpoints(self) -> int:
        """M."""
        return int(self.breakpoints.shape[1])

    def __repr__(self) -> str:
        return f"InputMap(in_features={self.in_features}, num_breakpoints={self.num_breakpoints})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InputMap):
            return NotImplemented
        return self is other or (
            np.array_equal(self.breakpoints, other.breakpoints)
            and np.array_equal(self.images, other.images)
        )

    def __hash__(self) -> int:
        return self._hash

    def __call__(self, x: npt.ArrayLike) -> Array:
        """Return z(x), of the shape (..., I) of x, in units of the domain."""
        return _interpolate(self._check(x), self.breakpoints, self.images, self.slopes)

    def slope(self, x: npt.ArrayLike) -> Array:
        """Return dz/dx, of the shape (..., I) of x; the right-hand one at a breakpoint."""
        x = self._check(x)
        slope = self.slopes[np.arange(self.in_features), _pieces(x, self.breakpoints)]
        return np.where(np.isnan(x), np.nan, slope)

    def pieces(self, x: npt.ArrayLike) -> Indices:
        """Return j, the piece that every number falls in, of the shape (..., I) of x."""
        return _pieces(self._check(x), self.breakpoints)

    def is_affine(self) -> list[bool]:
        """Return for each feature whether its map is one straight line, to rounding."""
        low, high = self.slopes.min(1), self.slopes.max(1)
        return [bool(flat) for flat in high <= (1 + STRAIGHT) * low]

    def inverse(self, z: npt.ArrayLike) -> Array:
        """Return the x with z(x) = z, of the shape (..., I) of z, in input units."""
        return _interpolate(self._check(z), self.images, self.breakpoints, 1 / self.slopes)

    def _check(self, x: npt.ArrayLike) -> Array:
        numbers = real_numbers("InputMap", "x", x)
        validate.last_dimension("InputMap", "x", numbers.shape, self.in_features)
        return numbers

    @classmethod
    def affine(cls, offset: npt.ArrayLike, scale: npt.ArrayLike) -> Self:
        """Return z = (x - offset) / scale, for offsets and scales (I,) or one of both."""
        start = np.atleast_1d(np.asarray(offset, dtype=np.float64))
        start, step = np.broadcast_arrays(start, np.asarray(scale, dtype=np.float64))
        # A second point as far away as the offset is large: offset + scale would lose the scale.
        times = np.exp2(np.ceil(np.log2(np.maximum(np.abs(start / step), 1.0))))
        ends = np.stack([start, start + times * step], axis=-1)
        return cls(ends, np.stack([np.zeros_like(times), times], axis=-1))

    @classmethod
    def standardise(cls, data: Data) -> Self:
        """Return z = (x - mean) / standard deviation: mean 0 and variance 1 in every feature.

        One pass, in memory that does not grow with the data. A constant feature keeps its unit.

        Args:
            data: Inputs (..., I), or an iterable of batches of them. What is not finite, or
                beyond ±1e30, is left out.

        Raises:
            ValueError: A feature is without any number.
        """
        found = summaries("InputMap.standardise", data)
        means = np.array([each.mean for each in found])
        spreads = np.sqrt([each.squares / each.count for each in found])
        return cls.affine(means, np.where(is_constant(means, spreads), unit(means), spreads))

    @classmethod
    def domain(cls, data: Data, coverage: float = 0.99, spline_width: float = 4.0) -> Self:
        """Return the straight lines that put the middle of each feature's data onto the domain.

        A share `coverage` of the data lies within [-w/2, w/2], and equal shares on both sides
        outside. Where that share is one number only, the domain holds all of the data; a constant
        feature keeps its unit.

        Args:
            data: As for `standardise`.
            coverage: In (0, 1]; 1 takes the lowest and the highest number.
            spline_width: w, the width of the layer's domain.
        """
        share = validate.coverage("InputMap.domain", coverage)
        width = validate.spline_width("InputMap.domain", spline_width)
        ends = np.array(
            [_middle(each, share, width) for each in summaries("InputMap.domain", data)]
        )
        return cls(ends, np.broadcast_to([-width / 2, width / 2], ends.shape))

    @classmethod
    def quantiles(
        cls,
        data: Data,
        num_breakpoints: int = 32,
        *,
        spline_width: float = 4.0,
        range_share: float = 0.2,
        steepness: float = 1000.0,
    ) -> Self:
        """Return the map that gives every feature's data their ranks, spread over the domain.

        See `knot_placement` for the rule. One pass, in memory that does not grow with the data.
        The data fill [-w/2, w/2]. Every slope lies between `range_share` · w / range and
        `steepness` · w / (the middle nine tenths of the distinct values); range is the distance
        from the lowest to the highest number. Of more than 4096 numbers the distinct values are
        those that the summary has kept (see `sketch`). A constant feature keeps its unit.

        Args:
            data: As for `standardise`.
            num_breakpoints: M >= 2. Breakpoints are the preimages of M evenly spaced points of
                the domain, which are the layer's knots for M = K. A feature with M distinct
                values or fewer has them all as breakpoints.
            spline_width: w, the width of the layer's domain.
            range_share: Share of the domain that is spread evenly over the range of the data, in
                [0, 1]; the rest goes by rank. 1 is a straight line.
            steepness: >= 1.
        """
        where = "InputMap.quantiles"
        remedy = "A map needs two points at least."
        count = validate.integer(where, "num_breakpoints", num_breakpoints, 2, remedy)
        width = validate.spline_width(where, spline_width)
        share = _between(where, "range_share", range_share, 0, 1, "It is a share of the domain.")
        bound = _between(where, "steepness", steepness, 1, math.inf, "A straight line has 1.")
        found = summaries(where, data)
        pairs = [place(*each.distribution(), count, width, share, bound) for each in found]
        return cls(*(np.stack(each) for each in zip(*pairs, strict=True)))


def _interpolate(x: Array, points: Array, images: Array, slopes: Array) -> Array:
    j, i = _pieces(x, points), np.arange(points.shape[0])
    ceilings = np.concatenate([images[:, 1:-1], np.full((points.shape[0], 1), np.inf)], axis=1)
    line = images[i, j] + slopes[i, j] * (x - points[i, j])
    mapped: Array = np.minimum(line, ceilings[i, j])
    return mapped


def _pieces(x: Array, points: Array) -> Indices:
    """Return j of every number; NaN, which belongs to no piece, gets the last."""
    place = np.empty(x.shape, np.intp)
    for i, row in enumerate(points):
        place[..., i] = np.searchsorted(row, x[..., i], side="right")
    j: Indices = np.clip(place - 1, 0, points.shape[1] - 2)
    return j


def _middle(sketch: Sketch, share: float, width: float) -> tuple[float, float]:
    """Return the ends of the middle `share` of the data."""
    values, weights = sketch.distribution()
    low, high = np.interp([(1 - share) / 2, (1 + share) / 2], ranks(weights), values)
    if is_constant(low, high - low):
        low, high = values[0], values[-1]
    if is_constant(low, high - low):
        half = float(unit(low)) * width / 2
        low, high = low - half, low + half
    return float(low), float(high)


def _increasing(argument: str, values: npt.ArrayLike) -> Array:
    array = real_numbers("InputMap", argument, values)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        constraint = "of shape (in_features, M) with M >= 2"
        remedy = "Every feature has the same number of breakpoints."
        raise ValueError(_message(argument, constraint, f"shape {array.shape}", remedy))
    if not (np.abs(array) <= LARGEST).all():
        remedy = "Scale the input first."
        got = "NaN or a larger number"
        raise ValueError(_message(argument, f"numbers up to ±{LARGEST:g}", got, remedy))
    if not (np.diff(array) > 0).all():
        remedy = "Sort them, and leave out what is there twice."
        raise ValueError(_message(argument, "strictly increasing", "others", remedy))
    return array


def _message(argument: str, constraint: str, got: str, remedy: str) -> str:
    return validate.message("InputMap", argument, constraint, got, remedy)


def _between(where: str, argument: str, value: Any, low: float, high: float, remedy: str) -> float:
    constraint = f"a number in [{low:g}, {high:g}]" if high < math.inf else f"a number >= {low:g}"
    number = validate.finite_real(where, argument, value, constraint, remedy, zero=True)
    if not low <= number <= high:
        raise ValueError(validate.message(where, argument, constraint, number, remedy))
    return number


def input_map_of(where: str, given: Any, in_features: int) -> InputMap | None:
    """Return the numbers of an input map of this package, of PyTorch or of JAX, if there is one.

    Raises:
        TypeError: It is none.
        ValueError: It has another number of features.
    """
    if given is None:
        return None
    numbers = None if isinstance(given, type) else getattr(given, "numbers", given)
    if not isinstance(numbers, InputMap) and numbers is not given and callable(numbers):
        numbers = numbers()  # a method in PyTorch, a field in JAX
    remedy = "Make one from data, such as InputMap.quantiles(x)."
    if not isinstance(numbers, InputMap):
        got = f"a {type(given).__name__}"
        raise TypeError(validate.message(where, "input_map", "an InputMap", got, remedy))
    if numbers.in_features != in_features:
        constraint, got = f"of {in_features} features", str(numbers.in_features)
        raise ValueError(validate.message(where, "input_map", constraint, got, remedy))
    return numbers
