"""The edges of a layer one by one: their values, their functions, how much each matters.

An edge matters by how much its output varies: the standard deviation over the inputs. For a linear
spline that follows from where the inputs lie in each interval, the moments Σ 1, Σ t and Σ t² of
the fraction t, so no array of B·I·O numbers is made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array, Grid
from .input_map import InputMap, input_map_of


class Spread(NamedTuple):
    """Mean and standard deviation of the output of every edge, each (I, O)."""

    mean: Array
    std: Array


class Moments:
    """Where inputs lie in each interval: count, Σ t and Σ t², each (I, K - 1), in float64.

    Args:
        in_features: Number of inputs, I.
        grid: Where the knots are.

    Example:
        >>> grid = Grid(3, 2.0)
        >>> moments = Moments.uniform(1, grid)
        >>> slope_of_one = np.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1)
        >>> float(moments.spread(slope_of_one).std[0, 0]) == (1 / 3) ** 0.5
        True
    """

    def __init__(self, in_features: int, grid: Grid) -> None:
        self.grid = grid
        self.sums = np.zeros((3, in_features, grid.num_control_points - 1))

    @classmethod
    def uniform(cls, in_features: int, grid: Grid) -> Moments:
        """Return the moments of inputs that are spread evenly over the domain."""
        moments = cls(in_features, grid)
        moments.sums += np.array([1, 1 / 2, 1 / 3])[:, None, None]
        return moments

    def add(self, x: npt.ArrayLike) -> None:
        """Take in the inputs `x` of shape (B, I), one after the other in their order."""
        interval, t = self.grid.locate(x)
        intervals = self.grid.num_control_points - 1
        place = (interval + intervals * np.arange(interval.shape[1])).reshape(-1)
        for total, values in zip(self.sums, (np.ones_like(t), t, t * t), strict=True):
            np.add.at(total.reshape(-1), place, values.reshape(-1))

    def spread(self, control_points: npt.ArrayLike) -> Spread:
        """Return mean and standard deviation of every edge with control points (I, K, O).

        Numerics:
            Extrapolation included. NaN in a feature makes its edges NaN.
        """
        c = np.asarray(control_points, np.float64)
        left, slope = c[:, :-1], np.diff(c, axis=1)
        count, t, tt = self.sums[..., None]
        number = count.sum(1)
        with np.errstate(invalid="ignore"):  # infinite inputs give inf - inf
            mean = (count * left + t * slope).sum(1) / number
            left = left - mean[:, None]
            variance = (count * left**2 + 2 * t * left * slope + tt * slope**2).sum(1) / number
        return Spread(mean, np.sqrt(variance.clip(min=0)))


def to_numpy(
    where: str,
    control_points: npt.ArrayLike,
    grid: Grid,
    in_feature: int | None = None,
    out_feature: int | None = None,
    input_map: Any = None,
) -> tuple[Array, Array]:
    """Return knots and values, with which `numpy.interp` evaluates an edge between its knots.

    Args:
        where: The callable that the features are arguments of, for errors.
        control_points: Shape (I, K, O).
        grid: Where the knots are.
        in_feature: i. By default all.
        out_feature: o. By default all.
        input_map: What stands before the layer, of this package, of PyTorch or of JAX. The knots
            are then in its input units: those of the layer, and the map's breakpoints. Every
            feature has others, so it needs `in_feature`.

    Returns:
        The knots (K,), and the values at them in float64: (I, K, O), without the axes of the
        features that are given. Behind a map of M breakpoints there are up to K + M of them.

    Numerics:
        Behind a map knots are rounded to float64, to 2.4e-7 s at a time of 1.7e9 s. `to_scipy`
        makes up for that.

    Raises:
        TypeError: A feature is not an integer, or `input_map` no map.
        ValueError: The layer has no such feature, the map is of others, or `in_feature` is missing.
    """
    edges = _straight_pieces(where, control_points, grid, in_feature, out_feature, input_map)
    return edges.knots, edges.values


def to_scipy(
    where: str,
    control_points: npt.ArrayLike,
    grid: Grid,
    in_feature: int | None = None,
    out_feature: int | None = None,
    input_map: Any = None,
) -> Any:
    """Return an edge as a `scipy.interpolate.PPoly` of degree 1, as `to_numpy` takes it.

    It goes on in straight lines beyond the domain, as the layer does, and has SciPy's derivatives,
    integrals and roots. Of several edges, x of shape (...) gives (..., I, O).

    Raises:
        ImportError: SciPy is not installed.
    """
    interpolate = validate.import_optional(f"{where}()", "scipy.interpolate", "scipy")
    edges = _straight_pieces(where, control_points, grid, in_feature, out_feature, input_map)
    axis = 0 if in_feature is not None else 1
    slopes, values = (np.moveaxis(each, axis, 0) for each in (edges.slopes, edges.values))
    return interpolate.PPoly(np.stack([slopes, values[:-1]]), edges.knots)


class _Pieces(NamedTuple):
    """Lines from knot to knot: n knots, the values at them, and the n - 1 slopes between."""

    knots: Array
    values: Array
    slopes: Array


def _straight_pieces(
    where: str,
    control_points: npt.ArrayLike,
    grid: Grid,
    in_feature: int | None,
    out_feature: int | None,
    input_map: Any,
) -> _Pieces:
    values = np.asarray(control_points, np.float64)
    i = _feature(where, "in_feature", in_feature, values.shape[0])
    o = _feature(where, "out_feature", out_feature, values.shape[2])
    numbers = input_map_of(where, input_map, values.shape[0])
    if numbers is None:
        chosen = values[i, :, o].copy()
        axis = 1 if in_feature is None else 0
        return _Pieces(grid.knots(), chosen, np.diff(chosen, axis=axis) * grid.knots_per_unit)
    if in_feature is None:
        remedy = "Behind an input map the knots of every feature are others."
        constraint = "the number of a feature with input_map="
        raise ValueError(validate.message(where, "in_feature", constraint, None, remedy))
    one = InputMap(numbers.breakpoints[i][None], numbers.images[i][None])
    return _before(one, values[i, :, o], grid)


def _before(input_map: InputMap, points: Array, grid: Grid) -> _Pieces:
    """Return the pieces of edges of one feature, with control points (K, ...), in input units.

    A knot stands at the first float64 whose image has reached that of the layer. So every float64
    is in the piece that the layer finds for it, and a piece has its own slope whatever its length.
    """
    at = grid.knots()
    knots = input_map.inverse(at[:, None])[:, 0]
    step = np.spacing(np.abs(knots))
    while (short := input_map(knots[:, None])[:, 0] < at).any():
        knots, step = np.where(short, knots + step, knots), 2 * step
    knots = np.unique(np.concatenate([knots, input_map.breakpoints[0]]))
    z = input_map(knots[:, None])[:, 0]
    interval = np.clip(np.searchsorted(at, z, side="right") - 1, 0, len(at) - 2)
    rises = np.diff(points, axis=0)[interval] * grid.knots_per_unit
    distance, slope = (z - at[interval]), input_map.slope(knots[:, None])[:, 0]
    distance, slope = (each.reshape(-1, *[1] * (points.ndim - 1)) for each in (distance, slope))
    return _Pieces(knots, points[interval] + distance * rises, (slope * rises)[:-1])


def _feature(where: str, argument: str, value: int | None, count: int) -> int | slice:
    if value is None:
        return slice(None)
    remedy = f"Features are numbered from 0 to {count - 1}."
    index = validate.integer(where, argument, value, 0, remedy)
    if index >= count:
        raise ValueError(validate.message(where, argument, f"below {count}", index, remedy))
    return index
