"""The hat basis as a matrix: Φ[b, (i, k)] = weight of knot k in sample b, and y = Φ c.

2 K multiply-adds per edge at the full speed of matrix products: best on matrix units and for few
control points. Φ is made for a block of rows and features at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.export import is_symbolic_dim

from kanditioned_spec import Grid

from ..grid import locate, locate_along, nan_where_nan
from .base import Impl, Target, add_blocks, join_blocks

WORKSPACE_BYTES = {True: 2**20, False: 2**26}
"""Largest Φ on a CPU (it stays in cache) and elsewhere."""


class _Tile(NamedTuple):
    """How many rows and features Φ is made for at a time."""

    rows: int
    features: int


def interpolate(
    x: jax.Array,
    direction: jax.Array | None,
    control_points: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return Φ c."""
    in_features, count, out_features = control_points.shape
    interval, weight = locate_along(x, direction, grid)
    affine, tile = direction is None, _tile(x, count, target)
    infinite = jnp.where(jnp.isinf(weight), weight, 0)
    finite = jnp.where(jnp.isinf(weight), 0, weight) if affine else weight

    def rows(b: int | jax.Array, size_b: int) -> jax.Array:
        def features(i: int | jax.Array, size_i: int) -> jax.Array:
            part = (b, i), (size_b, size_i)
            basis = _basis(_slice(interval, *part), _slice(finite, *part), count, affine)
            c = lax.dynamic_slice_in_dim(control_points, i, size_i)
            return target.product(basis, c.reshape(-1, out_features), 1, 0)

        return add_blocks(features, in_features, tile.features)

    y = join_blocks(rows, x.shape[0], tile.rows, axis=0)
    return y + of_infinite(infinite, control_points, target) if affine else y


def of_infinite(infinite: jax.Array, control_points: jax.Array, target: Target) -> jax.Array:
    """Return Σ_i t Δ_l over the infinite fractions; in others, `infinite` has 0.

    (1 - t) c_l + t c_{l+1} would be inf - inf there, where the value formula c_l + t Δ_l is
    infinite. Infinite inputs lie in an end interval.
    """
    first = control_points[:, 1] - control_points[:, 0]
    last = control_points[:, -1] - control_points[:, -2]
    signs = jnp.concatenate([jnp.minimum(infinite, 0), jnp.maximum(infinite, 0)], axis=1)
    return target.product(signs, jnp.concatenate([first, last]), 1, 0)


def contract(
    x: jax.Array,
    control_points: jax.Array,
    grad_y: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return the difference of two entries of gy cᵀ per input, over h."""
    in_features, count, out_features = control_points.shape
    interval, _ = locate(x, grid)
    tile = _tile(x, count, target)

    def rows(b: int | jax.Array, size_b: int) -> jax.Array:
        gy = lax.dynamic_slice_in_dim(grad_y, b, size_b)

        def features(i: int | jax.Array, size_i: int) -> jax.Array:
            c = lax.dynamic_slice_in_dim(control_points, i, size_i)
            dots = target.product(gy, c.reshape(-1, out_features), 1, 1)
            dots = dots.reshape(size_b, size_i, count)
            left = _slice(interval, (b, i), (size_b, size_i))[..., None]
            return (_entry(dots, left + 1) - _entry(dots, left))[..., 0]

        return join_blocks(features, in_features, tile.features, axis=1)

    products = join_blocks(rows, x.shape[0], tile.rows, axis=0)
    return nan_where_nan(x, products * grid.knots_per_unit)


def accumulate(
    x: jax.Array,
    direction: jax.Array | None,
    grad_y: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return Φᵀ gy."""
    interval, weight = locate_along(x, direction, grid)
    count = grid.num_control_points
    affine, tile = direction is None, _tile(x, count, target)

    def features(i: int | jax.Array, size_i: int) -> jax.Array:
        def rows(b: int | jax.Array, size_b: int) -> jax.Array:
            part = (b, i), (size_b, size_i)
            basis = _basis(_slice(interval, *part), _slice(weight, *part), count, affine)
            return target.product(basis, lax.dynamic_slice_in_dim(grad_y, b, size_b), 0, 0)

        total = add_blocks(rows, x.shape[0], tile.rows)
        return total.reshape(size_i, count, -1)

    return join_blocks(features, x.shape[1], tile.features, axis=0)


def _basis(
    interval: jax.Array, weight: jax.Array, num_control_points: int, affine: bool
) -> jax.Array:
    """Return Φ, (B, i K)."""
    knot = jnp.arange(num_control_points, dtype=interval.dtype)
    offset = knot[None, None] - interval[..., None]
    right = jnp.where(offset == 1, weight[..., None], 0)
    basis = jnp.where(offset == 0, float(affine) - weight[..., None], right)
    return basis.reshape(interval.shape[0], -1)


def _tile(x: jax.Array, num_control_points: int, target: Target) -> _Tile:
    batch: Any = x.shape[0]
    if is_symbolic_dim(x.shape[0]):  # left open for `jax.export`: one tile, however large it gets
        return _Tile(batch, 1)
    entries = WORKSPACE_BYTES[target.on_cpu] // (num_control_points * x.dtype.itemsize)
    rows = max(1, min(batch, entries))
    return _Tile(rows, max(1, min(x.shape[1], entries // rows)))


def _slice(
    values: jax.Array, start: tuple[int | jax.Array, int | jax.Array], size: tuple[int, int]
) -> jax.Array:
    return lax.dynamic_slice(values, start, size)


def _entry(dots: jax.Array, knot: jax.Array) -> jax.Array:
    return jnp.take_along_axis(dots, knot, axis=2, mode="promise_in_bounds")


dense = Impl(interpolate, contract, accumulate)
