r"""The layer and its derivatives, in float64 NumPy: what every backend must compute.

    y[b, o] = Σ_i s_io(x[b, i]),      s(x) = c_l + t (c_{l+1} - c_l)

with interval l and fraction t from `grid`. Everything here is one trilinear form. Let s' be the
slope (c_{l+1} - c_l) / h, write φ_k for the hat function of knot k (the weight of c_k in s), and
call v a direction in x. Then

    forward     y  = Σ_i Σ_k φ_k(x) c_k          linear in c
    jvp         ẏ  = Σ_i v s'(x)                 linear in v and c
    grad x      gx = Σ_o gy s'(x)                linear in gy and c
    grad c      gc = Σ_b φ_k(x) gy               linear in gy

and each is a transpose of another, so that derivatives of any order reuse these four. s'' is zero
off the knots, hence x has no second derivative; s' jumps at a knot, where the right-hand slope is
taken.

Shapes: x (..., I), control_points (I, K, O), y and grad_y (..., O), with any leading shape.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array, Grid


class Gradients(NamedTuple):
    """Cotangents of x (..., I) and of the control points (I, K, O)."""

    x: Array
    control_points: Array


class SecondOrderGradients(NamedTuple):
    """Cotangents of the three arguments of `vjp`."""

    x: Array
    control_points: Array
    grad_y: Array


def forward(x: npt.ArrayLike, control_points: npt.ArrayLike, spline_width: float) -> Array:
    """Evaluate the layer.

    Args:
        x: Inputs in input units, shape (..., I).
        control_points: Shape (I, K, O).
        spline_width: Width w of the domain in input units.

    Returns:
        y of shape (..., O).

    Raises:
        ValueError: The shapes do not fit.

    Numerics:
        NaN in x[b, i] gives NaN in y[b, :] and nowhere else; infinities follow the arithmetic of
        c_l + t (c_{l+1} - c_l). Outside the domain the end pieces go on in a straight line.

    Example:
        >>> import numpy as np
        >>> square = np.array([4.0, 1.0, 0.0, 1.0, 4.0]).reshape(1, 5, 1)  # x² at -2, -1, 0, 1, 2
        >>> forward([[1.0], [1.5], [3.0]], square, spline_width=4.0).ravel()
        array([1. , 2.5, 7. ])
    """
    x, c = _arguments("forward", x, control_points)
    grid = Grid(c.shape[1], spline_width)
    y = np.zeros((*x.shape[:-1], c.shape[2]))
    with np.errstate(invalid="ignore"):  # inf · 0 is NaN by the formula
        for i in range(c.shape[0]):
            interval, fraction = grid.locate(x[..., i])
            left, right = c[i, interval], c[i, interval + 1]
            y += left + fraction[..., None] * (right - left)
    return y


def jvp(
    x: npt.ArrayLike, control_points: npt.ArrayLike, spline_width: float, tangent_x: npt.ArrayLike
) -> Array:
    """Differentiate `forward` along `tangent_x` (..., I): the sum of v · s'(x), shape (..., O).

    The tangent along the control points needs no function of its own: `forward` is linear in them.
    """
    x, c = _arguments("jvp", x, control_points)
    v = _of_shape("jvp", "tangent_x", tangent_x, x.shape)
    grid = Grid(c.shape[1], spline_width)
    tangent_y = np.zeros((*x.shape[:-1], c.shape[2]))
    for i in range(c.shape[0]):
        tangent_y += v[..., i, None] * _slope(x[..., i], c[i], grid)
    return tangent_y


def vjp(
    x: npt.ArrayLike, control_points: npt.ArrayLike, spline_width: float, grad_y: npt.ArrayLike
) -> Gradients:
    """Differentiate `forward` in reverse.

        gx[b, i]    = Σ_o gy[b, o] (c_{l+1} - c_l) / h
        gc[i, k, o] = Σ_b φ_k(x[b, i]) gy[b, o]        1 - t at k = l, t at k = l + 1

    Samples that share an interval accumulate. NaN in x[b, i] gives NaN in gx[b, i].

    Returns:
        The cotangents of x and of the control points, of their shapes.
    """
    x, c = _arguments("vjp", x, control_points)
    gy = _of_shape("vjp", "grad_y", grad_y, (*x.shape[:-1], c.shape[2]))
    grid = Grid(c.shape[1], spline_width)
    gx = np.zeros(x.shape)
    for i in range(c.shape[0]):
        gx[..., i] = (gy * _slope(x[..., i], c[i], grid)).sum(-1)
    return Gradients(gx, _grad_control_points(x, gy, grid))


def vjp_of_vjp(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    grad_y: npt.ArrayLike,
    cotangent_x: npt.ArrayLike,
    cotangent_control_points: npt.ArrayLike,
) -> SecondOrderGradients:
    """Differentiate `vjp` in reverse: the mixed second derivatives, for losses on dy/dx.

    With cotangents v for gx and V for gc, the scalar ⟨v, gx⟩ + ⟨V, gc⟩ is differentiated:

        by x:   gy · s'_V(x)        (the slope of the spline with control points V)
        by c:   ± v gy / h          (+ at l + 1, - at l)
        by gy:  v s'_c(x) + s_V(x)

    Args:
        cotangent_x: v, shape (..., I).
        cotangent_control_points: V, shape (I, K, O).
    """
    where = "vjp_of_vjp"
    x, c = _arguments(where, x, control_points)
    gy = _of_shape(where, "grad_y", grad_y, (*x.shape[:-1], c.shape[2]))
    v = _of_shape(where, "cotangent_x", cotangent_x, x.shape)
    direction = _of_shape(where, "cotangent_control_points", cotangent_control_points, c.shape)
    return SecondOrderGradients(
        x=vjp(x, direction, spline_width, gy).x,
        control_points=_grad_control_points(x, gy, Grid(c.shape[1], spline_width), weight=v),
        grad_y=jvp(x, c, spline_width, v) + forward(x, direction, spline_width),
    )


def _slope(x: Array, c: Array, grid: Grid) -> Array:
    """Return s'(x) of one feature's edges, shape (..., O), for control points (K, O)."""
    interval, _ = grid.locate(x)
    slope = (c[interval + 1] - c[interval]) / grid.spacing
    return np.where(np.isnan(x)[..., None], np.nan, slope)


def _grad_control_points(x: Array, gy: Array, grid: Grid, weight: Array | None = None) -> Array:
    """Accumulate gy onto the two control points of every sample.

    The weights are (1 - t, t), or their derivative (-v/h, v/h) along a direction `weight` = v.
    """
    in_features, out_features = x.shape[-1], gy.shape[-1]
    gc = np.zeros((in_features, grid.num_control_points, out_features))
    flat_gy = gy.reshape(math.prod(gy.shape[:-1]), out_features)
    with np.errstate(invalid="ignore"):
        for i in range(in_features):
            interval, fraction = grid.locate(x[..., i].reshape(-1))
            if weight is None:
                left, right = 1 - fraction, fraction
            else:
                right = weight[..., i].reshape(-1) / grid.spacing
                right = np.where(np.isnan(fraction), np.nan, right)
                left = -right
            np.add.at(gc[i], interval, left[:, None] * flat_gy)
            np.add.at(gc[i], interval + 1, right[:, None] * flat_gy)
    return gc


def _arguments(where: str, x: npt.ArrayLike, control_points: npt.ArrayLike) -> tuple[Array, Array]:
    x = np.asarray(x, dtype=np.float64)
    c = np.asarray(control_points, dtype=np.float64)
    validate.control_points(where, c.shape)
    validate.last_dimension(where, "x", x.shape, c.shape[0])
    return x, c


def _of_shape(where: str, argument: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        remedy = "Tangents and cotangents have the shape of what they belong to."
        constraint, got = f"of shape {shape}", f"shape {array.shape}"
        raise ValueError(validate.message(where, argument, constraint, got, remedy))
    return array
