"""Monotone and convex control points: exactly feasible, the identity on what is, nearest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import isotonic_regression, linprog

from kanditioned_spec import numerics, reference, refinement
from kanditioned_spec.shapes import Shapes

SIGNS = [(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1) if m or c]
EACH = pytest.mark.parametrize(("monotone", "convex"), SIGNS)
RNG = np.random.default_rng


def one(monotone: int, convex: int) -> Shapes:
    return Shapes((monotone,), (convex,))


def feasible_points(monotone: int, convex: int, count: int, edges: int) -> np.ndarray:
    """Return integers, so that differences are exact; flat and straight pieces are among them."""
    rng = RNG(count)
    if not convex:
        return monotone * np.cumsum(rng.integers(0, 3, (1, count, edges)), axis=1).astype(float)
    first = 0 if monotone * convex > 0 else -3 * count
    bends = rng.integers(0, 3, (1, count - 1, edges))
    increments = first + np.cumsum(bends, axis=1)
    if monotone * convex < 0:
        increments = np.minimum(increments, 0)
    c = np.concatenate([np.zeros((1, 1, edges)), np.cumsum(increments, axis=1)], axis=1)
    return convex * c


@EACH
@pytest.mark.parametrize("count", [2, 3, 4, 17, 64])
def test_feasible_points_stay_as_they_are(monotone: int, convex: int, count: int) -> None:
    c = feasible_points(monotone, convex, count, 20)
    shapes = one(monotone, convex)
    assert shapes.violations(c) == 0
    np.testing.assert_array_equal(shapes.feasible(c), c)
    g = RNG(0).normal(size=c.shape)
    np.testing.assert_allclose(shapes.vjp(c, g), g, atol=1e-12)
    assert shapes.infeasibility(c) == 0


@EACH
@pytest.mark.parametrize("count", [2, 3, 4, 17, 64])
@pytest.mark.parametrize("size", [1e-300, 1e-3, 1.0, 1e30])
def test_no_violation_is_left_not_even_of_one_rounding(
    monotone: int, convex: int, count: int, size: float
) -> None:
    rng, shapes = RNG(count), one(monotone, convex)
    walks = rng.normal(size=(1, count, 300)).cumsum(1)
    for c in (rng.normal(size=(1, count, 300)), walks, walks.cumsum(1), 1e9 + walks):
        points = shapes.feasible(size * c)
        assert shapes.violations(points) == 0
        again = shapes.feasible(points)
        np.testing.assert_array_equal(again, points)


@EACH
@given(
    c=hnp.arrays(
        np.float64,
        st.tuples(st.just(1), st.integers(2, 12), st.just(1)),
        elements=st.floats(-1e30, 1e30) | st.integers(-2, 2).map(float),
    )
)
@example(c=np.array([[[1.0], [1.0], [0.0], [0.0]]]))
@example(c=np.array([[[0.1], [0.2], [0.3], [0.4], [0.5]]]))
@example(c=np.zeros((1, 5, 1)))
def test_any_points_become_feasible(monotone: int, convex: int, c: np.ndarray) -> None:
    shapes = one(monotone, convex)
    assert shapes.violations(shapes.feasible(c)) == 0


@pytest.mark.parametrize("monotone", [1, -1])
def test_monotone_points_are_nearest_in_the_largest_distance(monotone: int) -> None:
    """Half of the largest inversion is a lower bound for every monotone sequence."""
    c = RNG(0).normal(size=(1, 30, 50))
    moved = np.abs(one(monotone, 0).feasible(c) - c).max(1)[0]
    values = monotone * c[0]
    inversion = np.maximum(np.maximum.accumulate(values) - values, 0).max(0)
    np.testing.assert_allclose(moved, inversion / 2, atol=1e-12)


@pytest.mark.parametrize("convex", [1, -1])
def test_convex_points_have_the_isotonic_regression_of_the_increments(convex: int) -> None:
    c = RNG(0).normal(size=(1, 30, 20)).cumsum(1)
    points = one(0, convex).feasible(c)
    np.testing.assert_allclose(points.mean(1), c.mean(1), atol=1e-9)
    for o in range(20):
        want = isotonic_regression(np.diff(c[0, :, o]), increasing=convex > 0).x
        np.testing.assert_allclose(np.diff(points[0, :, o]), want, atol=1e-9)


def test_convex_and_increasing_points_have_the_bounded_isotonic_regression() -> None:
    c = RNG(0).normal(size=(1, 30, 20)).cumsum(1)
    increments = np.diff(one(1, 1).feasible(c), axis=1)[0]
    for o in range(20):
        want = np.maximum(isotonic_regression(np.diff(c[0, :, o])).x, 0)
        np.testing.assert_allclose(increments[:, o], want, atol=1e-9)


@EACH
def test_close_points_have_close_images(monotone: int, convex: int) -> None:
    """No amplification: images differ by twice the largest change at most (once if monotone)."""
    rng, shapes = RNG(0), one(monotone, convex)
    c, change = rng.normal(size=(1, 40, 200)), 0.1 * rng.uniform(-1, 1, (1, 40, 200))
    moved = np.abs(shapes.feasible(c + change) - shapes.feasible(c)).max(1)
    factor = 3 if convex else 1
    assert (moved <= factor * np.abs(change).max(1) * (1 + 1e-9)).all()


@EACH
def test_the_gradient_is_that_of_the_map(monotone: int, convex: int) -> None:
    rng, shapes = RNG(0), one(monotone, convex)
    c, g = rng.normal(size=(2, 1, 12, 5))
    numeric = np.zeros_like(c)
    for index in np.ndindex(c.shape):
        step = np.zeros_like(c)
        step[index] = 1e-6
        change = shapes.feasible(c + step) - shapes.feasible(c - step)
        numeric[index] = (change * g).sum() / 2e-6
    np.testing.assert_allclose(shapes.vjp(c, g), numeric, atol=1e-6)


@EACH
def test_shapes_of_control_points_are_shapes_of_functions(monotone: int, convex: int) -> None:
    """Random pairs and triples, far outside the domain too, against the reference."""
    rng, shapes = RNG(0), one(monotone, convex)
    c = shapes.feasible(rng.normal(size=(1, 16, 8)))
    x = np.sort(np.concatenate([rng.normal(size=(5000, 3)), [[-1e30, 0.0, 1e30]]]), axis=1)
    x[:1000] *= 1e6
    y = np.stack([reference.forward(x[:, k : k + 1], c, 4.0) for k in range(3)])
    room = 1e-12 * np.abs(y).max(0)
    assert (monotone * np.diff(y, axis=0) >= -room).all()
    weight = ((x[:, 2] - x[:, 1]) / (x[:, 2] - x[:, 0]))[:, None]
    assert (convex * (weight * y[0] + (1 - weight) * y[2] - y[1]) >= -room).all()


@EACH
@pytest.mark.parametrize("change", ["refine", "widen"])
def test_shapes_survive_a_finer_grid(monotone: int, convex: int, change: str) -> None:
    """Exactly for numbers on which the change does not round."""
    c = 8 * feasible_points(monotone, convex, 9, 10)
    new = refinement.refine(c, 33) if change == "refine" else refinement.widen(c, 4.0, 3)[0]
    assert one(monotone, convex).violations(new) == 0


def test_features_without_a_shape_stay_free() -> None:
    c = RNG(0).normal(size=(3, 9, 4))
    points = Shapes((0, 1, 0), (0, 0, -1)).feasible(c)
    np.testing.assert_array_equal(points[0], c[0])
    assert (points[1:] != c[1:]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@EACH
def test_an_edge_that_is_not_finite_stays(bad: float, monotone: int, convex: int) -> None:
    c = RNG(0).normal(size=(1, 9, 2))
    clean = one(monotone, convex).feasible(c)
    c[0, 4, 1] = bad
    points = one(monotone, convex).feasible(c)
    np.testing.assert_array_equal(points[..., 1], c[..., 1])
    np.testing.assert_array_equal(points[..., 0], clean[..., 0])


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (None, (0, 0, 0)),
        ({}, (0, 0, 0)),
        ({2: -1}, (0, 0, -1)),
        ([1, 0, -1], (1, 0, -1)),
        (np.array([0, 1, 1]), (0, 1, 1)),
        ({np.int64(0): np.int32(1)}, (1, 0, 0)),
    ],
)
def test_signs_come_by_index_or_in_order(given: Any, want: tuple[int, ...]) -> None:
    assert Shapes.from_arguments("KANLayer", 3, given, None).monotone == want
    assert Shapes.from_arguments("KANLayer", 3, None, given).convex == want


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({3: 1}, ValueError),
        ({-1: 1}, ValueError),
        ({0: 2}, ValueError),
        ([1, 0], ValueError),
        ([0.5, 0, 0], ValueError),
        ({"a": 1}, TypeError),
        ({0: "up"}, TypeError),
        (1, TypeError),
        ("+1", TypeError),
        ([math.inf, 0, 0], TypeError),
        ({0: -math.inf}, TypeError),
        ([math.nan, 0, 0], TypeError),
    ],
)
def test_what_are_no_signs_is_refused(given: Any, error: type[Exception]) -> None:
    match = r"^`KANLayer\(monotone=\.\.\.\)` must be \+1, 0 or -1 for each of 3 features"
    with pytest.raises(error, match=match):
        Shapes.from_arguments("KANLayer", 3, given, None)


def test_the_pull_ends_at_the_constrained_minimum() -> None:
    """Gradient descent on |P(c) - y|² + the pull against a linear programme's certificate.

    The nearest increasing sequence in the sum of squares is the isotonic regression of y.
    """
    rng, shapes = RNG(0), one(1, 0)
    y = (np.linspace(-1, 1, 12) + 0.5 * rng.normal(size=12))[None, :, None]
    c = np.linspace(-1, 1, 12)[None, :, None]
    for _ in range(4000):
        points = shapes.feasible(c)
        away = c - points
        gradient = shapes.vjp(c, points - y) + away - shapes.vjp(c, away)
        c = c - 0.2 * gradient
    want = isotonic_regression(y.ravel()).x
    np.testing.assert_allclose(shapes.feasible(c).ravel(), want, atol=1e-3)


def test_no_convex_sequence_fits_much_better_in_the_largest_distance() -> None:
    """A linear programme finds the least; the lift by the mean costs a factor of two at most."""
    c = RNG(0).normal(size=15)
    moved = np.abs(one(0, 1).feasible(c[None, :, None])[0, :, 0] - c).max()
    bend = np.diff(np.eye(15), 2, axis=0)
    ones = np.ones((15, 1))
    least = linprog(
        np.r_[np.zeros(15), 1.0],
        A_ub=np.block([[-bend, np.zeros((13, 1))], [np.eye(15), -ones], [-np.eye(15), -ones]]),
        b_ub=np.r_[np.zeros(13), c, -c],
        bounds=[(None, None)] * 16,
    )
    assert least.fun <= moved * (1 + 1e-9)
    assert moved <= 2 * least.fun * (1 + 1e-9)


@EACH
def test_the_stated_bound_holds_in_float32(monotone: int, convex: int) -> None:
    """Free points that float32 holds, mapped by float32 operations on the same blends."""
    shapes = one(monotone, convex)
    c = RNG(0).normal(size=(1, 33, 200)).astype(np.float32)
    blend = shapes.blend(0, c[0].astype(float))
    left = np.take_along_axis(c[0], blend.left, 0)
    right = np.take_along_axis(c[0], blend.right, 0)
    ratio = blend.ratio.astype(np.float32)
    points = (1 - ratio) * left + ratio * right
    points = points + (c[0] - points).mean(0) if blend.lifted else points
    want, condition = shapes.feasible(c), numerics.shape_condition(c, shapes)
    assert (np.abs(points - want[0]) <= numerics.tolerance(condition, want, "float32")[0]).all()
