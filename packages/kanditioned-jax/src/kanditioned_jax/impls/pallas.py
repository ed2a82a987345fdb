"""Fused kernels: the hat basis is made in registers and goes straight into matrix products.

2 K multiply-adds per edge as `dense`, without Φ in memory. Written for a GPU through Pallas'
Triton lowering, which JAX has deprecated; on a CPU the kernels are interpreted, for tests.

A tile has powers of two as sides, so outputs are padded and knots beyond K are read as zero: the
kernels mask nothing. Padded rows of x meet zero rows of gy, or are cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from ..grid import knots_per_unit, locate, nan_where_nan, weights
from .base import Impl, Target
from .dense import of_infinite

ROWS = 64
OUTPUTS = 64
KNOTS = 64
"""Largest tile sides; a product needs a depth of at least 16."""

Kernel = Callable[..., None]


def interpolate(
    x: jax.Array,
    direction: jax.Array | None,
    control_points: jax.Array,
    spline_width: float,
    target: Target,
) -> jax.Array:
    """Return Φ c, a tile of (rows, outputs) per program."""
    in_features, count, out_features = control_points.shape
    batch, affine = x.shape[0], direction is None
    interval, weight = _rows_last(x, direction, count, spline_width)
    finite = jnp.where(jnp.isinf(weight), 0, weight) if affine else weight
    knots, c = _tiled(control_points)
    rows, outputs = finite.shape[1], c.shape[2]

    def kernel(interval_ref, weight_ref, c_ref, y_ref):  # type: ignore[no-untyped-def]
        def term(i, k, y):  # type: ignore[no-untyped-def]
            basis = _basis(interval_ref[i], weight_ref[i], k * knots, knots, affine)
            return y + _dot(basis, c_ref[i, pl.ds(k * knots, knots)], target)

        y_ref[...] = _nested(in_features, c.shape[1] // knots, term, y_ref)

    per_rows = pl.BlockSpec((in_features, ROWS), lambda b, o: (0, b))
    y = _call(
        kernel,
        (rows // ROWS, outputs // OUTPUTS),
        [per_rows, per_rows, pl.BlockSpec((*c.shape[:2], OUTPUTS), lambda b, o: (0, 0, o))],
        pl.BlockSpec((ROWS, OUTPUTS), lambda b, o: (b, o)),
        (rows, outputs),
        x.dtype,
        target,
    )(interval, finite, c)[:batch, :out_features]
    infinite = jnp.where(jnp.isinf(weight), weight, 0)[:, :batch].T
    return y + of_infinite(infinite, control_points, target) if affine else y


def contract(
    x: jax.Array,
    control_points: jax.Array,
    grad_y: jax.Array,
    spline_width: float,
    target: Target,
) -> jax.Array:
    """Return the difference of two entries of gy cᵀ, a tile of rows of one feature per program."""
    batch, (in_features, count, _) = x.shape[0], control_points.shape
    interval, _ = _rows_last(x, None, count, spline_width)
    gy = _padded(grad_y, (ROWS, OUTPUTS))
    knots, c = _tiled(control_points)

    def kernel(interval_ref, c_ref, gy_ref, sums_ref):  # type: ignore[no-untyped-def]
        def term(o, k, sums):  # type: ignore[no-untyped-def]
            outputs = pl.ds(o * OUTPUTS, OUTPUTS)
            dots = _dot(gy_ref[:, outputs], c_ref[pl.ds(k * knots, knots), outputs].T, target)
            offset = k * knots + lax.iota(jnp.int32, knots) - interval_ref[...][:, None]
            return sums + jnp.where(offset == 1, dots, jnp.where(offset == 0, -dots, 0)).sum(1)

        sums_ref[...] = _nested(gy.shape[1] // OUTPUTS, c.shape[1] // knots, term, sums_ref)

    per_row = pl.BlockSpec((None, ROWS), lambda b, i: (i, b))
    sums = _call(
        kernel,
        (gy.shape[0] // ROWS, in_features),
        [
            per_row,
            pl.BlockSpec((None, *c.shape[1:]), lambda b, i: (i, 0, 0)),
            pl.BlockSpec((ROWS, gy.shape[1]), lambda b, i: (b, 0)),
        ],
        per_row,
        (in_features, gy.shape[0]),
        x.dtype,
        target,
    )(interval, c, gy)
    products = sums.T[:batch] * knots_per_unit(count, spline_width)
    return nan_where_nan(x, products)


def accumulate(
    x: jax.Array,
    direction: jax.Array | None,
    grad_y: jax.Array,
    num_control_points: int,
    spline_width: float,
    target: Target,
) -> jax.Array:
    """Return Φᵀ gy, a tile of (knots, outputs) of one feature per program."""
    in_features, affine = x.shape[1], direction is None
    interval, weight = _rows_last(x, direction, num_control_points, spline_width)
    gy = _padded(grad_y, (ROWS, OUTPUTS))
    knots = _knot_tile(num_control_points)
    count = -(-num_control_points // knots) * knots

    def kernel(interval_ref, weight_ref, gy_ref, grad_ref):  # type: ignore[no-untyped-def]
        first = pl.program_id(1) * knots

        def rows(n, grad):  # type: ignore[no-untyped-def]
            part = pl.ds(n * ROWS, ROWS)
            basis = _basis(interval_ref[part], weight_ref[part], first, knots, affine)
            return grad + _dot(basis.T, gy_ref[part], target)

        empty = jnp.zeros(grad_ref.shape, grad_ref.dtype)
        grad_ref[...] = lax.fori_loop(0, gy.shape[0] // ROWS, rows, empty)

    per_feature = pl.BlockSpec((None, gy.shape[0]), lambda i, k, o: (i, 0))
    grad = _call(
        kernel,
        (in_features, count // knots, gy.shape[1] // OUTPUTS),
        [per_feature, per_feature, pl.BlockSpec((gy.shape[0], OUTPUTS), lambda i, k, o: (0, o))],
        pl.BlockSpec((None, knots, OUTPUTS), lambda i, k, o: (i, k, o)),
        (in_features, count, gy.shape[1]),
        x.dtype,
        target,
    )(interval, weight, gy)
    return grad[:, :num_control_points, : grad_y.shape[1]]


def _call(
    kernel: Kernel,
    grid: tuple[int, ...],
    in_specs: list[pl.BlockSpec],
    out_specs: pl.BlockSpec,
    shape: tuple[int, ...],
    dtype: Any,
    target: Target,
) -> Callable[..., jax.Array]:
    return pl.pallas_call(
        kernel,
        grid=grid,
        in_specs=in_specs,
        out_specs=out_specs,
        out_shape=jax.ShapeDtypeStruct(shape, dtype),  # type: ignore[no-untyped-call]
        interpret=target.on_cpu,
        compiler_params=None if target.on_cpu else triton.CompilerParams(num_warps=4, num_stages=2),
    )


def _nested(
    outer: int,
    inner: int,
    term: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
    like: jax.Ref,
) -> jax.Array:
    """Return zeros of the shape of `like` after `term(n, m, total)` for every n and m."""
    total: jax.Array = lax.fori_loop(
        0,
        outer,
        lambda n, total: lax.fori_loop(0, inner, lambda m, total: term(n, m, total), total),
        jnp.zeros(like.shape, like.dtype),
    )
    return total


def _basis(
    interval: jax.Array, weight: jax.Array, first: int | jax.Array, knots: int, affine: bool
) -> jax.Array:
    """Return Φ of one feature at knots `first` and on, (rows, knots)."""
    offset = first + lax.iota(jnp.int32, knots) - interval[:, None]
    right = jnp.where(offset == 1, weight[:, None], 0)
    return jnp.where(offset == 0, float(affine) - weight[:, None], right)


def _dot(a: jax.Array, b: jax.Array, target: Target) -> jax.Array:
    return target.product(a, b, 1, 0)


def _knot_tile(count: int) -> int:
    return min(KNOTS, max(16, pl.next_power_of_2(count)))


def _rows_last(
    x: jax.Array, direction: jax.Array | None, count: int, spline_width: float
) -> tuple[jax.Array, jax.Array]:
    """Return intervals and weights of whole tiles of rows, each (I, B)."""
    padded = _padded(x.T, (1, ROWS))
    along = None if direction is None else _padded(direction.T, (1, ROWS))
    return weights(padded, along, count, spline_width)


def _tiled(control_points: jax.Array) -> tuple[int, jax.Array]:
    """Return the knot tile, and control points padded to whole tiles of knots and outputs."""
    knots = _knot_tile(control_points.shape[1])
    return knots, _padded(control_points, (1, knots, OUTPUTS))


def _padded(values: jax.Array, multiples: tuple[int, ...]) -> jax.Array:
    """Append zeros to each axis up to a multiple."""
    missing = [-size % multiple for size, multiple in zip(values.shape, multiples, strict=True)]
    return jnp.pad(values, [(0, count) for count in missing])


pallas = Impl(interpolate, contract, accumulate)
