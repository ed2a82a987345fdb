"""Fused kernels: positions and the hat basis are made in registers, for matrix products there.

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

from kanditioned_spec import Grid

from ..grid import locate, locate_along, nan_where_nan
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
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return Φ c, a tile of (rows, outputs) per program."""
    in_features, _, out_features = control_points.shape
    affine = direction is None
    inputs = _inputs(x, direction)
    knots, c = _tile(control_points)
    rows, outputs = inputs[0].shape[1], c.shape[2]

    def kernel(*refs):  # type: ignore[no-untyped-def]
        *input_refs, c_ref, y_ref = refs

        def feature(i, y):  # type: ignore[no-untyped-def]
            interval, weight = locate_along(*_read(input_refs, i), grid)
            finite = jnp.where(jnp.isinf(weight), 0, weight) if affine else weight

            def part(k, y):  # type: ignore[no-untyped-def]
                basis = _basis(interval, finite, k * knots, knots, affine)
                return y + _dot(basis, c_ref[i, pl.ds(k * knots, knots)], target)

            return _repeat(c.shape[1] // knots, part, y)

        y_ref[...] = _repeat(in_features, feature, _zeros(y_ref))

    per_rows = pl.BlockSpec((in_features, ROWS), lambda b, o: (0, b))
    per_outputs = pl.BlockSpec((*c.shape[:2], OUTPUTS), lambda b, o: (0, 0, o))
    y = _call(
        kernel,
        (rows // ROWS, outputs // OUTPUTS),
        [*(per_rows for _ in inputs), per_outputs],
        pl.BlockSpec((ROWS, OUTPUTS), lambda b, o: (b, o)),
        (rows, outputs),
        x.dtype,
        target,
    )(*inputs, c)[: x.shape[0], :out_features]
    if not affine:
        return y
    _, fraction = locate(x, grid)
    infinite = jnp.where(jnp.isinf(fraction), fraction, 0)
    return y + of_infinite(infinite, control_points, target)


def contract(
    x: jax.Array,
    control_points: jax.Array,
    grad_y: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return the difference of two entries of gy cᵀ, a tile of rows of one feature per program."""
    batch, in_features = x.shape
    inputs, gy = _inputs(x, None), _pad(grad_y, (ROWS, OUTPUTS))
    knots, c = _tile(control_points)

    def kernel(x_ref, c_ref, gy_ref, sums_ref):  # type: ignore[no-untyped-def]
        interval, _ = locate(x_ref[...], grid)

        def column(o, sums):  # type: ignore[no-untyped-def]
            outputs = pl.ds(o * OUTPUTS, OUTPUTS)

            def part(k, sums):  # type: ignore[no-untyped-def]
                dots = _dot(gy_ref[:, outputs], c_ref[pl.ds(k * knots, knots), outputs].T, target)
                offset = k * knots + lax.iota(jnp.int32, knots)[None] - interval[:, None]
                return sums + jnp.where(offset == 1, dots, jnp.where(offset == 0, -dots, 0)).sum(1)

            return _repeat(c.shape[1] // knots, part, sums)

        sums_ref[...] = _repeat(gy.shape[1] // OUTPUTS, column, _zeros(sums_ref))

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
    )(*inputs, c, gy)
    products = sums.T[:batch] * grid.knots_per_unit
    return nan_where_nan(x, products)


def accumulate(
    x: jax.Array,
    direction: jax.Array | None,
    grad_y: jax.Array,
    grid: Grid,
    target: Target,
) -> jax.Array:
    """Return Φᵀ gy, a tile of (knots, outputs) of one feature per program."""
    in_features, affine = x.shape[1], direction is None
    inputs, gy = _inputs(x, direction), _pad(grad_y, (ROWS, OUTPUTS))
    knots = _knot_tile(grid.num_control_points)
    count = -(-grid.num_control_points // knots) * knots

    def kernel(*refs):  # type: ignore[no-untyped-def]
        *input_refs, gy_ref, grad_ref = refs
        first = pl.program_id(1) * knots

        def rows(n, grad):  # type: ignore[no-untyped-def]
            part = pl.ds(n * ROWS, ROWS)
            tile = _read(input_refs, part)
            interval, weight = locate_along(*tile, grid)
            basis = _basis(interval, weight, first, knots, affine)
            return grad + _dot(basis.T, gy_ref[part], target)

        grad_ref[...] = _repeat(gy.shape[0] // ROWS, rows, _zeros(grad_ref))

    per_feature = pl.BlockSpec((None, gy.shape[0]), lambda i, k, o: (i, 0))
    per_outputs = pl.BlockSpec((gy.shape[0], OUTPUTS), lambda i, k, o: (0, o))
    grad = _call(
        kernel,
        (in_features, count // knots, gy.shape[1] // OUTPUTS),
        [*(per_feature for _ in inputs), per_outputs],
        pl.BlockSpec((None, knots, OUTPUTS), lambda i, k, o: (i, k, o)),
        (in_features, count, gy.shape[1]),
        x.dtype,
        target,
    )(*inputs, gy)
    return grad[:, : grid.num_control_points, : grad_y.shape[1]]


def _call(
    kernel: Kernel,
    programs: tuple[int, ...],
    in_specs: list[pl.BlockSpec],
    out_specs: pl.BlockSpec,
    shape: tuple[int, ...],
    dtype: Any,
    target: Target,
) -> Callable[..., jax.Array]:
    return pl.pallas_call(
        kernel,
        grid=programs,
        in_specs=in_specs,
        out_specs=out_specs,
        out_shape=jax.ShapeDtypeStruct(shape, dtype),  # type: ignore[no-untyped-call]
        interpret=target.on_cpu,
        compiler_params=None if target.on_cpu else triton.CompilerParams(num_warps=4, num_stages=2),
    )


def _repeat(
    count: int, step: Callable[[int | jax.Array, jax.Array], jax.Array], value: jax.Array
) -> jax.Array:
    """Return `value` after `step(n, value)` for every n; most loops have one trip."""
    if count == 1:
        return step(0, value)
    result: jax.Array = lax.fori_loop(0, count, step, value)
    return result


def _zeros(ref: jax.Ref) -> jax.Array:
    return jnp.zeros(ref.shape, ref.dtype)


def _basis(
    interval: jax.Array, weight: jax.Array, first: int | jax.Array, knots: int, affine: bool
) -> jax.Array:
    """Return Φ of one feature at knots `first` and on, (rows, knots)."""
    offset = first + lax.iota(jnp.int32, knots)[None] - interval[:, None]
    right = jnp.where(offset == 1, weight[:, None], 0)
    return jnp.where(offset == 0, float(affine) - weight[:, None], right)


def _dot(a: jax.Array, b: jax.Array, target: Target) -> jax.Array:
    return target.product(a, b, 1, 0)


def _knot_tile(count: int) -> int:
    return min(KNOTS, max(16, pl.next_power_of_2(count)))


def _inputs(x: jax.Array, direction: jax.Array | None) -> list[jax.Array]:
    """Return x and the direction, if any, in whole tiles of rows, each (I, B)."""
    given = [x] if direction is None else [x, direction]
    return [_pad(values.T, (1, ROWS)) for values in given]


def _read(input_refs: list[jax.Ref], part: Any) -> tuple[jax.Array, jax.Array | None]:
    """Return a tile of x, and of the direction if there is one."""
    x, *direction = (ref[part] for ref in input_refs)
    return x, direction[0] if direction else None


def _tile(control_points: jax.Array) -> tuple[int, jax.Array]:
    """Return the knot tile, and control points padded to whole tiles of knots and outputs."""
    knots = _knot_tile(control_points.shape[1])
    return knots, _pad(control_points, (1, knots, OUTPUTS))


def _pad(values: jax.Array, multiples: tuple[int, ...]) -> jax.Array:
    """Append zeros to each axis up to a multiple."""
    missing = [-size % multiple for size, multiple in zip(values.shape, multiples, strict=True)]
    return jnp.pad(values, [(0, count) for count in missing])


pallas = Impl(interpolate, contract, accumulate)
