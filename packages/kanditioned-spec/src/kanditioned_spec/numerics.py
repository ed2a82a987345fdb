"""How far a correct implementation may be from the float64 reference: an a-priori bound.

    |got - want| <= CONSTANT · eps(compute) · condition + eps(storage) · |want| + smallest(storage)

`condition` is the sum of the magnitudes of everything that is added up to form a number, so the
bound follows the problem instead of a hand-picked tolerance: it is tight where nothing cancels,
and wide where the arithmetic itself must cancel, as in far extrapolation. eps(compute) is that of
float32 or wider for every storage dtype, since positions and sums are never kept in half precision.

The position u is a sum too, x (K - 1)/w + (K - 1)/2. Rounded, it moves t by up to
eps · (|x| (K - 1)/w + (K - 1)/2), which moves a value by that times |c_{l+1} - c_l|.

A matrix unit may round the factors of every product to fewer digits (`BackendInfo.operands`). Then
eps(compute) is that of the factors; positions keep theirs, so their part of a condition is weighed
with the quotient of the two, `position_share`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .grid import Array, Grid
from .input_map import InputMap
from .reference import Gradients, SecondOrderGradients
from .shapes import Shapes

CONSTANT = 4.0


class Format(NamedTuple):
    """A floating-point format: spacing of numbers at 1, and the smallest positive number."""

    eps: float
    smallest: float


FORMATS = {
    "float64": Format(2.0**-52, 2.0**-1074),
    "float32": Format(2.0**-23, 2.0**-149),
    "tfloat32": Format(2.0**-10, 2.0**-136),
    "float16": Format(2.0**-10, 2.0**-24),
    "bfloat16": Format(2.0**-7, 2.0**-133),
}


def compute_eps(dtype: str, operands: str | None = None) -> float:
    """Return eps of the arithmetic for a storage `dtype`: float32 or wider, or `operands`.

    Args:
        dtype: Storage dtype.
        operands: Format that the factors of products are rounded to, if narrower.
    """
    return FORMATS[operands or ("float64" if dtype == "float64" else "float32")].eps


def position_share(dtype: str, operands: str | None = None) -> float:
    """Return eps of positions, which no `operands` narrows, divided by eps of the arithmetic."""
    return compute_eps(dtype) / compute_eps(dtype, operands)


def tolerance(
    condition: npt.ArrayLike, want: npt.ArrayLike, dtype: str, operands: str | None = None
) -> Array:
    """Return the largest allowed |got - want|, of the shape of `want`."""
    storage = FORMATS[dtype]
    eps = compute_eps(dtype, operands)
    arithmetic = CONSTANT * eps * np.asarray(condition, dtype=np.float64)
    return arithmetic + storage.eps * np.abs(want) + storage.smallest


def forward_condition(
    x: npt.ArrayLike, control_points: npt.ArrayLike, spline_width: float, share: float = 1.0
) -> Array:
    """Return Σ_i |c_l| + |t| (|c_l| + |c_{l+1}|) + share (|x| / h + (K - 1)/2) |c_{l+1} - c_l|.

    Args:
        share: `position_share`.
    """
    x = np.asarray(x, dtype=np.float64)
    c = np.asarray(control_points, dtype=np.float64)
    grid = Grid(c.shape[1], spline_width)
    condition = np.zeros((*x.shape[:-1], c.shape[2]))
    for i in range(c.shape[0]):
        interval, fraction = grid.locate(x[..., i])
        left, right = c[i, interval], c[i, interval + 1]
        condition += np.abs(left)
        condition += np.abs(fraction)[..., None] * (np.abs(left) + np.abs(right))
        moved = share * _position_condition(x[..., i], grid)
        condition += moved[..., None] * np.abs(right - left)
    return condition


def jvp_condition(
    x: npt.ArrayLike, control_points: npt.ArrayLike, spline_width: float, tangent_x: npt.ArrayLike
) -> Array:
    """Return Σ_i |v| (|c_l| + |c_{l+1}|) / h."""
    x = np.asarray(x, dtype=np.float64)
    v = np.abs(np.asarray(tangent_x, dtype=np.float64))
    c = np.abs(np.asarray(control_points, dtype=np.float64))
    grid = Grid(c.shape[1], spline_width)
    condition = np.zeros((*x.shape[:-1], c.shape[2]))
    for i in range(c.shape[0]):
        interval, _ = grid.locate(x[..., i])
        condition += v[..., i, None] * (c[i, interval] + c[i, interval + 1])
    return condition / grid.spacing


def vjp_condition(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    grad_y: npt.ArrayLike,
    share: float = 1.0,
) -> Gradients:
    """Return the conditions of both gradients of `reference.vjp`.

    For x: Σ_o |gy| (|c_l| + |c_{l+1}|) / h. For the control points: every sample adds |gy| times
    its weight to knots l and l + 1, and |gy| times the error of its position (times `share`, the
    `position_share`) to those and to one knot on either side, because rounding may carry a sample
    across a knot.
    """
    x = np.asarray(x, dtype=np.float64)
    c = np.asarray(control_points, dtype=np.float64)
    gy = np.abs(np.asarray(grad_y, dtype=np.float64))
    in_features, count, out_features = c.shape
    grid, batch = Grid(count, spline_width), math.prod(x.shape[:-1])
    flat_x, flat_gy = x.reshape(batch, in_features), gy.reshape(batch, out_features)
    gx = np.zeros(flat_x.shape)
    gc = np.zeros((in_features, count + 2, out_features))  # one knot of margin at both ends
    for i in range(in_features):
        interval, fraction = grid.locate(flat_x[:, i])
        magnitude = np.abs(c[i, interval]) + np.abs(c[i, interval + 1])
        gx[:, i] = (flat_gy * magnitude).sum(-1) / grid.spacing
        moved = share * _position_condition(flat_x[:, i], grid)
        outside = np.zeros_like(fraction)
        weights = (outside, 1 + np.abs(fraction), np.abs(fraction), outside)
        for offset, weight in enumerate(weights):
            np.add.at(gc[i], interval + offset, (weight + moved)[:, None] * flat_gy)
    return Gradients(gx.reshape(x.shape), gc[:, 1:-1])


def vjp_of_vjp_condition(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    grad_y: npt.ArrayLike,
    cotangent_x: npt.ArrayLike,
    cotangent_control_points: npt.ArrayLike,
    share: float = 1.0,
) -> SecondOrderGradients:
    """Return the conditions of the three results of `reference.vjp_of_vjp`."""
    x = np.asarray(x, dtype=np.float64)
    gy = np.abs(np.asarray(grad_y, dtype=np.float64))
    v = np.abs(np.asarray(cotangent_x, dtype=np.float64))
    direction = np.asarray(cotangent_control_points, dtype=np.float64)
    in_features, count, out_features = direction.shape
    grid = Grid(count, spline_width)
    gc = np.zeros(direction.shape)
    flat_gy = gy.reshape(math.prod(gy.shape[:-1]), out_features)
    for i in range(in_features):
        interval, _ = grid.locate(x[..., i].reshape(-1))
        pushed = v[..., i].reshape(-1, 1) * flat_gy / grid.spacing
        np.add.at(gc[i], interval, pushed)
        np.add.at(gc[i], interval + 1, pushed)
    return SecondOrderGradients(
        x=vjp_condition(x, direction, spline_width, gy).x,
        control_points=gc,
        grad_y=jvp_condition(x, control_points, spline_width, v)
        + forward_condition(x, direction, spline_width, share),
    )


def input_map_condition(x: npt.ArrayLike, input_map: InputMap) -> Array:
    """Return |v_j| + |s_j (x - p_j)|, of the shape (..., I) of x, for `x` as it was stored.

    Each of the operations subtract, multiply and add rounds a number of at most this size once. The
    offset p_j itself is not rounded to the dtype of the layer, else |s_j p_j| would belong here.
    Next to a breakpoint the piece on the other side gives the same value, so that its condition
    holds as well.
    """
    x = np.asarray(x, dtype=np.float64)
    j, i = input_map.pieces(x), np.arange(input_map.in_features)
    risen = input_map.slopes[i, j] * (x - input_map.breakpoints[i, j])
    return np.abs(input_map.images[i, j]) + np.abs(risen)


def shape_condition(control_points: npt.ArrayLike, shapes: Shapes) -> Array:
    """Return max_k |c_k| of every edge for monotone, K times as much for convex ones: (I, K, O).

    A monotone point is the mean of two points. Convex increments are multiples of up to 4 eps
    max |c|, so each is off by half of that, and up to K/2 of them are summed up.
    """
    c = np.abs(np.asarray(control_points, dtype=np.float64))
    factors = np.where(shapes.convex, c.shape[1], np.abs(shapes.monotone))
    condition: Array = np.broadcast_to(c.max(1, keepdims=True), c.shape) * factors[:, None, None]
    return condition


def position_error(x: npt.ArrayLike, grid: Grid, dtype: str) -> Array:
    """Return how far, in knot units, rounding may move the position of `x`, stored in a `dtype`."""
    moved = _position_condition(np.asarray(x, dtype=np.float64), grid)
    return CONSTANT * compute_eps(dtype) * moved


def near_knot(x: npt.ArrayLike, grid: Grid, dtype: str) -> npt.NDArray[np.bool_]:
    """Whether rounding may carry the position of `x` across an inner knot, where slopes jump.

    The outer knots do not count: intervals are clipped there, and nothing jumps.
    """
    x = np.asarray(x, dtype=np.float64)
    if grid.num_control_points == 2:
        return np.zeros(x.shape, dtype=bool)
    u = grid.position(x)
    with np.errstate(invalid="ignore"):
        distance = np.abs(u - np.rint(u).clip(1, grid.num_control_points - 2))
        return np.asarray(np.isfinite(x) & (distance <= position_error(x, grid, dtype)))


def _position_condition(x: Array, grid: Grid) -> Array:
    return np.abs(x) / grid.spacing + (grid.num_control_points - 1) / 2
