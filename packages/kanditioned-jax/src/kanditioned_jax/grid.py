"""Where inputs fall on the uniform grid, as JAX arrays (see `kanditioned_spec.grid`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from kanditioned_spec import Grid


class Location(NamedTuple):
    """Interval (int32) and fraction of every input, each of the shape of the input."""

    interval: jax.Array
    fraction: jax.Array


def compute_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of positions and sums: `dtype`, but at least float32."""
    is_narrow = jnp.dtype(dtype).itemsize < 4  # `promote_types` may be set to refuse
    return jnp.dtype(jnp.float32 if is_narrow else dtype)


def locate(x: jax.Array, grid: Grid) -> Location:
    """Return interval and fraction of `x`, which must be float32 or wider.

    NaN is given interval 0 before the conversion to an integer and stays in the fraction.
    """
    u = (x + grid.spline_width / 2) * grid.knots_per_unit
    lowest = jnp.where(jnp.isnan(u), 0, jnp.floor(u)).clip(0, grid.num_control_points - 2)
    return Location(lowest.astype(jnp.int32), u - lowest)


def locate_along(
    x: jax.Array, direction: jax.Array | None, grid: Grid
) -> tuple[jax.Array, jax.Array]:
    """Return intervals, and fractions or along a direction v/h; NaN where x is NaN."""
    interval, fraction = locate(x, grid)
    if direction is None:
        return interval, fraction
    return interval, nan_where_nan(x, direction * grid.knots_per_unit)


def nan_where_nan(x: jax.Array, values: jax.Array) -> jax.Array:
    """Return `values`, but NaN where `x` is."""
    return jnp.where(jnp.isnan(x), x, values)
