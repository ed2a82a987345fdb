"""Feasible control points in JAX: the spec's values, every transformation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from kanditioned_jax import shapes
from kanditioned_spec import Shapes, numerics

SIGNS = [(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1) if m or c]
EACH = pytest.mark.parametrize(("monotone", "convex"), SIGNS)


def free_points(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


@EACH
def test_values_and_gradients_are_those_of_the_spec(monotone: int, convex: int) -> None:
    spec = Shapes((monotone, 0, 1), (convex, 0, 0))
    c = free_points(3, 17, 20)
    points, pull = jax.vjp(jax.jit(lambda c: shapes.feasible(c, spec)), c)
    numbers = np.asarray(c, np.float64)
    want, condition = spec.feasible(numbers), numerics.shape_condition(numbers, spec)
    allowed = numerics.tolerance(condition, want, "float32")
    assert (np.abs(np.asarray(points, np.float64) - want) <= allowed).all()
    (got,) = pull(c[::-1])
    want = spec.vjp(numbers, numbers[::-1])
    np.testing.assert_allclose(got, want, atol=numerics.CONSTANT * 17 * 2.0**-23)


@cache
def compiled(spec: Shapes) -> Callable[[jax.Array], jax.Array]:
    return jax.jit(lambda c: shapes.feasible(c, spec))


@EACH
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_no_violation_of_one_rounding(monotone: int, convex: int, size: float) -> None:
    spec = Shapes((monotone,), (convex,))
    c = size * free_points(1, 33, 2000)
    feasible = compiled(spec)
    for free in (c, c.cumsum(1), c.cumsum(1).cumsum(1)):
        points = feasible(free)
        assert spec.violations(np.asarray(points)) == 0
        np.testing.assert_array_equal(feasible(points), points)


def test_every_mode_differentiates() -> None:
    spec = Shapes((1, 0, -1), (0, 1, 1))
    with jax.enable_x64(True):
        c = jnp.asarray(np.random.default_rng(0).normal(size=(3, 6, 2)))
        check_grads(jax.jit(lambda c: jnp.sin(shapes.feasible(c, spec))), (c,), order=2)


def test_it_is_mapped_and_compiled() -> None:
    spec = Shapes((1, 0), (0, -1))
    c = free_points(5, 2, 9, 3)
    together = jax.jit(jax.vmap(lambda each: shapes.feasible(each, spec)))(c)
    alone = jnp.stack([shapes.feasible(each, spec) for each in c])
    for free, *points in zip(np.asarray(c, np.float64), together, alone, strict=True):
        want, condition = spec.feasible(free), numerics.shape_condition(free, spec)
        allowed = numerics.tolerance(condition, want, "float32")
        for got in points:  # two programs: a rounding moves a convex point by a step of its grid
            assert (np.abs(np.asarray(got, np.float64) - want) <= allowed).all()


def test_outside_of_jit_it_compiles_once_per_shape() -> None:
    c = free_points(1, 11, 3)
    shapes.feasible(c, Shapes((0,), (1,)))
    compiled = shapes._apply_rule._cache_size()
    for monotone, convex in ((0, 1), (0, -1), (1, 1)):
        shapes.feasible(c + monotone, Shapes((monotone,), (convex,)))
    assert shapes._apply_rule._cache_size() == compiled


def test_what_is_not_finite_stays() -> None:
    spec = Shapes((1, 0), (0, 1))
    c = free_points(2, 7, 2)
    feasible = jax.jit(lambda c: shapes.feasible(c, spec))
    clean = feasible(c)
    c = c.at[0, 3, 0].set(jnp.nan).at[1, 2, 1].set(jnp.inf)
    points = feasible(c)
    np.testing.assert_array_equal(points[0, :, 0], c[0, :, 0])
    np.testing.assert_array_equal(points[1, :, 1], c[1, :, 1])
    np.testing.assert_array_equal(points[0, :, 1], clean[0, :, 1])
    np.testing.assert_array_equal(points[1, :, 0], clean[1, :, 0])
