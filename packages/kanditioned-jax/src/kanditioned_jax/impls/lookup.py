"""Read both control-point rows of every sample and interpolate, one feature after another.

Two multiply-adds per edge, flat in K: best on a CPU. XLA's loop over one feature's (B, O) block
reads rows of a (K, O) table that stays in cache and vectorises over O; one gather for all features
at once is about ten times slower (two CPU cores, jax 0.10.2, 2026-11).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from kanditioned_spec import Grid

from ..grid import locate, locate_along, nan_where_nan
from . import dense
from .base import Impl, Target

UNROLL = 4
"""Features per trip of a loop: on a GPU a trip is a kernel launch."""


def interpolate(
    x: jax.Array,
    direction: jax.Array | None,
    control_points: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return Σ_i c_l + t Δ_l, or Σ_i v Δ_l / h."""
    interval, weight = locate_along(x, direction, grid)

    def feature(i: int | jax.Array) -> jax.Array:
        left, right = _rows(control_points, interval, i)
        change = _column(weight, i)[:, None] * (right - left)
        return left + change if direction is None else change

    y: jax.Array = lax.fori_loop(
        1, x.shape[1], lambda i, y: y + feature(i), feature(0), unroll=UNROLL
    )
    return y


def contract(
    x: jax.Array,
    control_points: jax.Array,
    grad_y: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return Σ_o gy Δ_l / h.

    The sum is a product with a vector of ones: XLA does not vectorise a reduction of the last axis
    on a CPU.
    """
    interval, _ = locate(x, grid)
    ones = jnp.ones(grad_y.shape[1], grad_y.dtype)

    def feature(_: None, i: jax.Array) -> tuple[None, jax.Array]:
        left, right = _rows(control_points, interval, i)
        return None, jnp.matmul((right - left) * grad_y, ones, precision="highest")

    _, sums = lax.scan(feature, None, jnp.arange(x.shape[1]), unroll=UNROLL)
    return nan_where_nan(x, sums.T * grid.knots_per_unit)


def accumulate(
    x: jax.Array,
    direction: jax.Array | None,
    grad_y: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Add gy by interval, S₀ = Σ gy and S₁ = Σ w gy: S₀ - S₁ onto c_l, S₁ onto c_{l+1}.

    A CPU adds one row after another, in order. A GPU would add with atomics, in any order, so
    there the sums are a matrix product.
    """
    if not target.on_cpu:
        return dense.accumulate(x, direction, grad_y, grid, target)
    interval, weight = locate_along(x, direction, grid)
    empty = jnp.zeros((grid.num_control_points, grad_y.shape[1]), grad_y.dtype)

    def feature(_: None, i: jax.Array) -> tuple[None, jax.Array]:
        bucket = empty.at[_column(interval, i)]
        weighted = bucket.add(_column(weight, i)[:, None] * grad_y, mode="promise_in_bounds")
        right = jnp.pad(weighted[:-1], ((1, 0), (0, 0)))
        if direction is not None:
            return None, right - weighted
        return None, bucket.add(grad_y, mode="promise_in_bounds") - weighted + right

    _, grad = lax.scan(feature, None, jnp.arange(x.shape[1]))
    return grad


def _rows(
    control_points: jax.Array, interval: jax.Array, i: int | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return c_l and c_{l+1} of feature i, each (B, O)."""
    table = lax.dynamic_index_in_dim(control_points, i, keepdims=False)
    left = _column(interval, i)
    return (
        table.at[left].get(mode="promise_in_bounds"),
        table.at[left + 1].get(mode="promise_in_bounds"),
    )


def _column(values: jax.Array, i: int | jax.Array) -> jax.Array:
    column: jax.Array = lax.dynamic_index_in_dim(values, i, axis=1, keepdims=False)
    return column


lookup = Impl(interpolate, contract, accumulate)
