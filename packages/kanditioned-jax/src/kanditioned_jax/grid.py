"""Where inputs fall on the uniform grid, as JAX arrays (see `kanditioned_spec.grid`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike


class Location(NamedTuple):
    """Interval (int32) and fraction of every input, each of the shape of the input."""

    interval: jax.Array
    fraction: jax.Array


def compute_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of positions and sums: `dtype`, but at least float32."""
    return jnp.promote_types(jnp.float32, dtype)


def knots_per_unit(num_control_points: int, spline_width: float) -> float:
    """Return 1/h = (K - 1)/w, the slope of the position in the input."""
    return (num_control_points - 1) / spline_width


def locate(x: jax.Array, num_control_points: int, spline_width: float) -> Location:
    """Return interval and fraction of `x`, which must be float32 or wider.

    NaN is given interval 0 before the conversion to an integer and stays in the fraction.
    """
    u = (x + spline_width / 2) * knots_per_unit(num_control_points, spline_width)
    lowest = jnp.where(jnp.isnan(u), 0, jnp.floor(u)).clip(0, num_control_points - 2)
    return Location(lowest.astype(jnp.int32), u - lowest)


def weights(
    x: jax.Array, direction: jax.Array | None, num_control_points: int, spline_width: float
) -> tuple[jax.Array, jax.Array]:
    """Return intervals, and fractions or along a direction v/h; NaN where x is NaN."""
    interval, fraction = locate(x, num_control_points, spline_width)
    if direction is None:
        return interval, fraction
    return interval, nan_where_nan(x, direction * knots_per_unit(num_control_points, spline_width))


def nan_where_nan(x: jax.Array, values: jax.Array) -> jax.Array:
    """Return `values`, but NaN where `x` is."""
    return jnp.where(jnp.isnan(x), x, values)
