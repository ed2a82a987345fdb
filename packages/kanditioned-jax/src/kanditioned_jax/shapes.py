"""Monotone and convex edges: free control points become feasible (see `kanditioned_spec.shapes`).

A feasible point is a blend of two free ones. Which two is found without gradients; the blend itself
is a gather, which JAX differentiates in every mode and to any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kanditioned_spec import Shapes
from kanditioned_spec.blends import SPARE_BITS

Rule = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def feasible(control_points: jax.Array, shapes: Shapes) -> jax.Array:
    """Return feasible control points of the shape (I, K, O) of the free ones.

    Numerics:
        In the dtype of the control points, float32 or float64. Increments of convex edges are
        exactly in order, see `kanditioned_spec.shapes`. An edge that is not finite stays as it is.
    """
    convex = [i for i, sign in enumerate(shapes.convex) if sign]
    monotone = [i for i in shapes.features if not shapes.convex[i]]
    result = _replace(control_points, monotone, _monotone, shapes)
    return _replace(result, convex, _convex, shapes)


def infeasibility(control_points: jax.Array, shapes: Shapes) -> jax.Array:
    """Return Σ |c - c'|² / 2, a scalar, of the features that have a shape."""
    shaped = shapes.features
    every = len(shaped) == len(control_points)
    free = control_points if every else control_points[np.array(shaped, int)]
    return ((free - feasible(free, shapes.select(shaped))) ** 2).sum() / 2


def _replace(c: jax.Array, features: Sequence[int], rule: Rule, shapes: Shapes) -> jax.Array:
    """Apply a rule to some features."""
    if not features:
        return c
    signs = [jnp.asarray([each[i] for i in features], c.dtype)[:, None, None] for each in shapes]
    index = jnp.asarray(features)
    every = len(features) == len(c)
    points: jax.Array = _apply_rule(c if every else c[index], *signs, rule)
    return points if every else c.at[index].set(points)


@partial(jax.jit, static_argnames="rule")  # or a loop outside of it is compiled at every call
def _apply_rule(free: jax.Array, monotone: jax.Array, convex: jax.Array, rule: Rule) -> jax.Array:
    usable = jnp.isfinite(free).all(1, keepdims=True)
    points = rule(jnp.where(usable, free, 0), monotone, convex)
    return jnp.where(usable, points, free)


def _monotone(c: jax.Array, sign: jax.Array, _: jax.Array) -> jax.Array:
    """Return the mean of the records; on a CPU knot by knot, so that no gradient is scattered.

    With its gradient 2.9 ms against 8.2 for (784, 8, 64).
    """
    points: jax.Array = jax.lax.platform_dependent(
        c, sign, cpu=_mean_of_records_one_by_one, default=_mean_of_records
    )
    return points


def _mean_of_records_one_by_one(c: jax.Array, sign: jax.Array) -> jax.Array:
    def rise(highest: jax.Array, point: jax.Array) -> tuple[jax.Array, jax.Array]:
        highest = jnp.where(sign * point >= sign * highest, point, highest)
        return highest, highest

    def fall(lowest: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        point, highest = at
        lowest = jnp.where(sign * point <= sign * lowest, point, lowest)
        return lowest, (highest + lowest) / 2

    sign, knots = sign[:, 0], jnp.moveaxis(c, 1, 0)
    _, highest = jax.lax.scan(rise, knots[0], knots)
    _, points = jax.lax.scan(fall, knots[-1], (knots, highest), reverse=True)
    return jnp.moveaxis(points, 0, 1)


def _mean_of_records(c: jax.Array, sign: jax.Array) -> jax.Array:
    rising = jax.lax.stop_gradient(sign * c)
    highest = _highest_so_far(rising)
    lowest = -jnp.flip(_highest_so_far(jnp.flip(-rising, 1)), 1)
    left, right = _nearest(rising >= highest, rising <= lowest)
    return (_at(c, left) + _at(c, right)) / 2


def _convex(c: jax.Array, monotone: jax.Array, convex: jax.Array) -> jax.Array:
    direction = monotone * convex
    left, right = _hull(jax.lax.stop_gradient(convex * c), direction)
    k = jnp.arange(c.shape[1])[:, None]
    ratio = jnp.where(left == right, 0, (k - left) / jnp.maximum(right - left, 1)).astype(c.dtype)
    points = (1 - ratio) * _at(c, left) + ratio * _at(c, right)
    points = points + (c - points).mean(1, keepdims=True)
    free = jax.lax.stop_gradient(c)
    # The given points have one value; those computed here could be rounded twice in two loops.
    in_order = _in_order(convex * jnp.diff(free, axis=1), direction)
    exact = jnp.where(
        in_order, free, _put_in_exact_order(jax.lax.stop_gradient(points), convex, direction)
    )
    return _with_value(points, exact)


@jax.custom_jvp
def _with_value(points: jax.Array, value: jax.Array) -> jax.Array:
    """Return `value`, with the derivatives of `points`."""
    return value


@_with_value.defjvp
def _(primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[Any, Any]:
    return _with_value(*primals), tangents[0]


def _hull(c: jax.Array, direction: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the vertices of the lower hull around every point, as `blends.hull` does."""
    k = jnp.broadcast_to(jnp.arange(c.shape[1])[:, None], c.shape)
    inner = (k > 0) & (k < c.shape[1] - 1)
    allowed = 8 * float(np.finfo(c.dtype).eps)

    def above(vertex: jax.Array) -> jax.Array:
        left, right = _nearest(vertex, vertex)
        before = jnp.concatenate([left[:, :1], left[:, :-1]], 1)
        after = jnp.concatenate([right[:, 1:], right[:, -1:]], 1)
        a, b = _at(c, before), _at(c, after)
        chord = a + ((k - before) / jnp.maximum(after - before, 1)).astype(c.dtype) * (b - a)
        return vertex & inner & (c - chord > allowed * (jnp.abs(a) + jnp.abs(b) + jnp.abs(c)))

    def remove(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        vertex = state[0] & ~state[1]
        return vertex, above(vertex)

    every = jnp.isfinite(c)  # all are; made of c, so that it is mapped and sharded as c is
    vertex, _ = jax.lax.while_loop(lambda state: state[1].any(), remove, (every, above(every)))
    left, right = _nearest(vertex, vertex)
    heights = jnp.where(vertex, c, jnp.inf)
    first = heights.argmin(1, keepdims=True)  # of the lowest, and the last of them
    last = c.shape[1] - 1 - heights[:, ::-1].argmin(1, keepdims=True)
    low = jnp.where(direction < 0, last, first)
    beyond = (k - low) * direction < 0
    return jnp.where(beyond, low, left), jnp.where(beyond, low, right)


def _nearest(before: jax.Array, after: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the nearest marked points at or before and at or after every point."""
    last = before.shape[1] - 1
    k = jnp.arange(last + 1)[:, None]
    left = _highest_so_far(jnp.where(before, k, 0))
    mirrored = _highest_so_far(jnp.where(jnp.flip(after, 1), k, 0))
    return left, last - jnp.flip(mirrored, 1)


def _highest_so_far(values: jax.Array) -> jax.Array:
    """Return the running maximum along the knots of an array (I, K, O), without gradients.

    In parallel, but on a CPU knot by knot in place: 1.4 ms against 16 for (256, 32, 256).
    """
    parallel = partial(jax.lax.cummax, axis=1)
    result: jax.Array = jax.lax.platform_dependent(values, cpu=_one_by_one, default=parallel)
    return result


def _one_by_one(values: jax.Array) -> jax.Array:
    def take(k: jax.Array, running: jax.Array) -> jax.Array:
        before, here = (jax.lax.dynamic_slice_in_dim(running, at, 1, 1) for at in (k - 1, k))
        return jax.lax.dynamic_update_slice_in_dim(running, jnp.maximum(before, here), k, 1)

    result: jax.Array = jax.lax.fori_loop(1, values.shape[1], take, values)
    return result


def _at(c: jax.Array, index: jax.Array) -> jax.Array:
    return jnp.take_along_axis(c, index, 1)


def _in_order(increments: jax.Array, direction: jax.Array) -> jax.Array:
    rising = (jnp.diff(increments, axis=1) >= 0).all(1, keepdims=True)
    return rising & (direction * increments >= 0).all(1, keepdims=True)


def _put_in_exact_order(c: jax.Array, convex: jax.Array, direction: jax.Array) -> jax.Array:
    """Return points whose increments are in order exactly, as `blends.in_exact_order` does."""
    limits = np.finfo(c.dtype)
    largest = jnp.maximum(jnp.abs(c).max(1, keepdims=True), limits.tiny)
    mantissa, _ = jnp.frexp(largest)
    g = jnp.maximum(largest / mantissa * (limits.eps / 2 * 2**SPARE_BITS), limits.tiny)
    steps = _highest_so_far(jnp.round(convex * jnp.diff(c, axis=1) / g))
    steps = jnp.where(direction == 0, steps, direction * jnp.maximum(direction * steps, 0))
    middle = c.shape[1] // 2
    risen = jnp.cumsum(jnp.concatenate([jnp.zeros_like(c[:, :1]), convex * steps], 1), 1)
    at = slice(middle, middle + 1)
    return g * (jnp.round(c[:, at] / g) + risen - risen[:, at])
