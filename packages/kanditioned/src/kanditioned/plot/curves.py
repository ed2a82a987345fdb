"""Control points and data as NumPy arrays: evaluated, ranked."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Grid
from kanditioned_spec.edges import Moments

Array = npt.NDArray[np.float64]


def values(points: Array, x: Array, spline_width: float) -> Array:
    """Evaluate control points (K, ...) of one input's edges at its values (N,), giving (N, ...)."""
    interval, fraction = Grid(len(points), spline_width).locate(x)
    weight = fraction.reshape(-1, *[1] * (points.ndim - 1))
    result: Array = points[interval] + weight * (points[interval + 1] - points[interval])
    return result


def importance(points: Array, spline_width: float, data: Array | None = None) -> Array:
    """Return the standard deviation of every edge's output, shape (I, O).

    Args:
        points: Control points (I, K, O).
        spline_width: Width of the domain in input units.
        data: Inputs (N, I) over which it is taken. By default the domain, evenly.
    """
    grid = Grid(points.shape[1], spline_width)
    if data is None:
        return Moments.uniform(len(points), grid).spread(points).std
    moments = Moments(len(points), grid)
    moments.add(data)
    return moments.spread(points).std


def to_numpy(array: Any) -> Array:
    """Copy an array of any framework to float64."""
    if hasattr(array, "detach"):
        array = array.detach().double().cpu()
    return np.asarray(array, dtype=np.float64)


def control_points(layer: Any) -> Array:
    """Return the control points (I, K, O) of a layer of any framework."""
    with keeping(layer):
        return to_numpy(layer.control_points())


def keeping(layer: Any) -> AbstractContextManager[Any]:
    """Return the context in which JAX computes with a layer of float64 in float64.

    Without it JAX would round them, and warn. Layers of other frameworks need none.
    """
    jax = sys.modules.get("jax")
    if jax is None or not isinstance(getattr(layer, "theta", None), jax.Array):
        return nullcontext()
    context: AbstractContextManager[Any] = jax.enable_x64(layer.theta.dtype == "float64")
    return context
