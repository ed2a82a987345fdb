"""The reference against NumPy's interpolation and against finite differences.

The layer is linear in each of its arguments as long as no input crosses a knot, so a central
difference has no truncation error: it must agree to the rounding of the two values it is made of,
and the tests ask for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from kanditioned_spec import numerics, reference
from kanditioned_spec.grid import Array, Grid


class Data(NamedTuple):
    """Arguments of the functions under test."""

    x: Array
    c: Array
    width: float
    gy: Array
    v: Array
    direction: Array


# batch shape, in_features, num_control_points, out_features, spline_width
SHAPES = [
    ((5,), 3, 8, 2, 4.0),
    ((1,), 1, 2, 1, 1.0),
    ((4,), 2, 3, 3, 0.25),
    ((40,), 1, 3, 1, 6.0),  # many samples in every interval
    ((2, 3), 2, 32, 4, 4.0),
]


def data_of(
    shape: tuple[int, ...], in_features: int, count: int, out_features: int, width: float
) -> Data:
    """Draw arguments with every input well inside an interval, or beyond the domain."""
    rng = np.random.default_rng(count)
    interval = rng.integers(-1, count, size=(*shape, in_features))
    u = interval + rng.uniform(0.25, 0.75, size=interval.shape)
    c, direction = rng.normal(size=(2, in_features, count, out_features))
    return Data(
        x=(u - (count - 1) / 2) * Grid(count, width).spacing,
        c=c,
        width=width,
        gy=rng.normal(size=(*shape, out_features)),
        v=rng.normal(size=(*shape, in_features)),
        direction=direction,
    )


@pytest.fixture(params=SHAPES, ids=str)
def data(request: pytest.FixtureRequest) -> Data:
    return data_of(*request.param)


def central_difference(f: Callable[[Array], Array], at: Array, step: float) -> Array:
    """Return the gradient of `f` (a sum is taken over its result) at every entry of `at`."""
    gradient = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        above, below = at.copy(), at.copy()
        above[index] += step
        below[index] -= step
        gradient[index] = (f(above).sum() - f(below).sum()) / (above[index] - below[index])
    return gradient


def rounding(condition: Array, step: float) -> float:
    """Bound a central difference of a sum whose terms have these magnitudes."""
    return float(numerics.CONSTANT * numerics.FORMATS["float64"].eps * condition.sum() / step)


def assert_equal_up_to_rounding(got: Array, want: Array, condition: Array, step: float) -> None:
    assert np.abs(got - want).max() <= rounding(condition, step)


def test_forward_is_linear_interpolation_inside_the_domain(data: Data) -> None:
    x = np.clip(data.x, -data.width / 2, data.width / 2)
    grid = Grid(data.c.shape[1], data.width).knots()
    want = np.zeros((*x.shape[:-1], data.c.shape[2]))
    for i in range(data.c.shape[0]):
        for o in range(data.c.shape[2]):
            want[..., o] += np.interp(x[..., i], grid, data.c[i, :, o])
    bound = numerics.tolerance(
        numerics.forward_condition(x, data.c, data.width), want, dtype="float64"
    )
    assert (np.abs(reference.forward(x, data.c, data.width) - want) <= bound).all()


@pytest.mark.parametrize("distance", [0.5, 3.0, 1e6, 1e30])
def test_forward_goes_on_in_a_straight_line_outside(distance: float) -> None:
    c = np.array([3.0, 1.0, 2.0, 6.0]).reshape(1, 4, 1)  # knots at -1.5, -0.5, 0.5, 1.5
    below, above = reference.forward([[-1.5 - distance], [1.5 + distance]], c, 3.0).ravel()
    np.testing.assert_array_max_ulp(below, 3 + 2 * distance, maxulp=2)
    np.testing.assert_array_max_ulp(above, 6 + 4 * distance, maxulp=2)


def test_forward_at_the_knots_is_the_control_points() -> None:
    c = np.arange(27.0).reshape(1, 9, 3) ** 2
    np.testing.assert_array_equal(reference.forward(Grid(9, 4.0).knots()[:, None], c, 4.0), c[0])


def test_slope_on_a_knot_is_the_one_on_its_right() -> None:
    c = np.array([0.0, 1.0, 3.0, 7.0]).reshape(1, 4, 1)
    x = np.array([[-1.5], [-0.5], [0.5], [1.5]])
    slopes = reference.vjp(x, c, 3.0, np.ones((4, 1))).x
    assert slopes.ravel().tolist() == [1.0, 2.0, 4.0, 4.0]


def test_vjp_is_the_derivative_of_forward(data: Data) -> None:
    x, c, width, gy, _, _ = data
    got = reference.vjp(x, c, width, gy)
    condition = numerics.forward_condition(x, c, width) * np.abs(gy)
    step = 0.125 * Grid(c.shape[1], width).spacing  # crosses no knot

    by_x = central_difference(lambda x: reference.forward(x, c, width) * gy, x, step)
    assert_equal_up_to_rounding(got.x, by_x, condition, step)
    by_c = central_difference(lambda c: reference.forward(x, c, width) * gy, c, 1.0)
    larger = numerics.forward_condition(x, np.abs(c) + 1, width) * np.abs(gy)
    assert_equal_up_to_rounding(got.control_points, by_c, larger, 1.0)


def test_jvp_is_the_transpose_of_vjp(data: Data) -> None:
    x, c, width, gy, v, _ = data
    pushed = (reference.jvp(x, c, width, v) * gy).sum()
    pulled = (reference.vjp(x, c, width, gy).x * v).sum()
    condition = numerics.jvp_condition(x, c, width, v) * np.abs(gy)
    assert abs(pushed - pulled) <= rounding(condition, 1.0)


def test_vjp_of_vjp_is_the_derivative_of_vjp(data: Data) -> None:
    x, c, width, gy, v, direction = data
    got = reference.vjp_of_vjp(x, c, width, gy, v, direction)

    def scalar_terms(x: Array, c: Array, gy: Array) -> Array:
        gx, gc = reference.vjp(x, c, width, gy)
        return np.concatenate([(v * gx).ravel(), (direction * gc).ravel()])

    def condition(c: Array, gy: Array) -> Array:
        gx, gc = numerics.vjp_condition(x, c, width, gy)
        return np.concatenate([(np.abs(v) * gx).ravel(), (np.abs(direction) * gc).ravel()])

    step = 0.125 * Grid(c.shape[1], width).spacing
    by_x = central_difference(lambda x: scalar_terms(x, c, gy), x, step)
    assert_equal_up_to_rounding(got.x, by_x, condition(c, gy), step)
    by_c = central_difference(lambda c: scalar_terms(x, c, gy), c, 1.0)
    assert_equal_up_to_rounding(got.control_points, by_c, condition(np.abs(c) + 1, gy), 1.0)
    by_gy = central_difference(lambda gy: scalar_terms(x, c, gy), gy, 1.0)
    assert_equal_up_to_rounding(got.grad_y, by_gy, condition(c, np.abs(gy) + 1), 1.0)


def test_samples_in_one_interval_accumulate() -> None:
    x = np.array([[0.25], [0.25], [0.75], [-0.5]])  # knots at -1, 0, 1
    gy = np.array([[1.0], [2.0], [4.0], [8.0]])
    gc = reference.vjp(x, np.zeros((1, 3, 1)), 2.0, gy).control_points
    assert gc.ravel().tolist() == [4.0, 4.0 + 3 * 0.75 + 1.0, 3 * 0.25 + 3.0]


def test_leading_shapes_are_batches() -> None:
    data = data_of((6,), 3, 5, 2, 4.0)
    x, gy, v = (a.reshape(2, 1, 3, -1) for a in (data.x, data.gy, data.v))
    flat = reference.vjp_of_vjp(data.x, data.c, 4.0, data.gy, data.v, data.direction)
    shaped = reference.vjp_of_vjp(x, data.c, 4.0, gy, v, data.direction)
    np.testing.assert_array_equal(shaped.x, flat.x.reshape(x.shape))
    np.testing.assert_array_equal(shaped.control_points, flat.control_points)
    np.testing.assert_array_equal(shaped.grad_y, flat.grad_y.reshape(gy.shape))
    y = reference.forward(data.x, data.c, 4.0)
    np.testing.assert_array_equal(reference.forward(x, data.c, 4.0), y.reshape(gy.shape))
    np.testing.assert_array_equal(reference.forward(data.x[0], data.c, 4.0), y[0])


def test_empty_batch_gives_empty_results_and_zero_gradients() -> None:
    c = np.ones((3, 4, 2))
    x, gy = np.zeros((0, 3)), np.zeros((0, 2))
    assert reference.forward(x, c, 4.0).shape == (0, 2)
    gx, gc = reference.vjp(x, c, 4.0, gy)
    assert gx.shape == (0, 3)
    np.testing.assert_array_equal(gc, np.zeros((3, 4, 2)))
    second = reference.vjp_of_vjp(x, c, 4.0, gy, x, c)
    assert (second.x.shape, second.grad_y.shape) == ((0, 3), (0, 2))
    np.testing.assert_array_equal(second.control_points, np.zeros((3, 4, 2)))


def test_nan_reaches_its_own_row_and_its_own_gradient_only() -> None:
    x, c, width, gy, v, direction = data_of((4,), 3, 6, 2, 4.0)
    spoilt = x.copy()
    spoilt[1, 2] = np.nan
    others = np.arange(4) != 1

    y, clean_y = (reference.forward(a, c, width) for a in (spoilt, x))
    assert np.isnan(y[1]).all()
    np.testing.assert_array_equal(y[others], clean_y[others])

    got, clean = (reference.vjp(a, c, width, gy) for a in (spoilt, x))
    np.testing.assert_array_equal(np.isnan(got.x), np.isnan(spoilt))
    np.testing.assert_array_equal(got.x[others], clean.x[others])
    np.testing.assert_array_equal(got.control_points[:2], clean.control_points[:2])
    assert np.isfinite(got.control_points[2, 2:]).all()

    second = reference.vjp_of_vjp(spoilt, c, width, gy, v, direction)
    np.testing.assert_array_equal(np.isnan(second.x), np.isnan(spoilt))
    assert np.isnan(second.grad_y[1]).all()
    assert np.isfinite(second.grad_y[others]).all()


@pytest.mark.parametrize(
    ("c", "x", "want"),
    [
        ([0.0, 1.0, 3.0], np.inf, np.inf),
        ([0.0, 1.0, 3.0], -np.inf, -np.inf),
        ([5.0, 1.0, 0.0], np.inf, -np.inf),
        ([5.0, 1.0, 1.0], np.inf, np.nan),  # a flat end piece: ∞ · 0
    ],
)
def test_infinities_follow_the_formula(c: list[float], x: float, want: float) -> None:
    y = reference.forward([[x]], np.reshape(c, (1, 3, 1)), 2.0)
    np.testing.assert_array_equal(y, [[want]])


def test_samples_at_infinity_keep_the_slope_of_the_end_piece() -> None:
    c = np.array([0.0, 1.0, 3.0]).reshape(1, 3, 1)
    gx = reference.vjp([[-np.inf], [np.inf]], c, 2.0, np.ones((2, 1))).x
    assert gx.ravel().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("x", "c", "pattern"),
    [
        (np.zeros((2, 4)), np.zeros((3, 5, 1)), r"`forward\(x=.*\(\.\.\., 3\), got shape \(2, 4\)"),
        (np.zeros(()), np.zeros((3, 5, 1)), r"`forward\(x=.*got shape \(\)"),
        (np.zeros((2, 3)), np.zeros((3, 5)), r"`forward\(control_points=.*got shape \(3, 5\)"),
        (np.zeros((2, 3)), np.zeros((3, 1, 1)), r"`forward\(num_control_points=.*>= 2, got 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x: Array, c: Array, pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        reference.forward(x, c, 4.0)


def test_cotangents_of_another_shape_are_refused() -> None:
    """Never broadcast: a gradient of the wrong shape is a mistake of the caller."""
    x, c = np.zeros((2, 3)), np.zeros((3, 5, 4))
    gy, v, direction = np.zeros((2, 4)), np.zeros((2, 3)), np.zeros((3, 5, 4))
    with pytest.raises(ValueError, match=r"`jvp\(tangent_x=.*\(2, 3\), got shape \(3,\)"):
        reference.jvp(x, c, 4.0, v[0])
    with pytest.raises(ValueError, match=r"`vjp\(grad_y=.*\(2, 4\), got shape \(1, 4\)"):
        reference.vjp(x, c, 4.0, gy[:1])
    for wrong in ((gy[:1], v, direction), (gy, v[:1], direction), (gy, v, direction[:1])):
        with pytest.raises(ValueError, match=r"`vjp_of_vjp\(.*got shape \(1, "):
            reference.vjp_of_vjp(x, c, 4.0, *wrong)


def test_finite_differences_stay_within_their_intervals() -> None:
    """Guards the tests above: a step over a knot would make their comparison meaningless."""
    for shape in SHAPES:
        x, c, width, *_ = data_of(*shape)
        step = 0.125 * Grid(c.shape[1], width).spacing
        intervals = [Grid(c.shape[1], width).locate(x + s).interval for s in (-step, 0, step)]
        np.testing.assert_array_equal(intervals[0], intervals[1])
        np.testing.assert_array_equal(intervals[2], intervals[1])


@pytest.mark.parametrize("shape", [(0, 2), (5, 2), (2, 0, 2), ()])
def test_layers_without_outputs(shape: tuple[int, ...]) -> None:
    x, c = np.zeros((*shape[:-1], 2)), np.zeros((2, 4, 0))
    grad_y = np.zeros((*shape[:-1], 0))
    assert reference.forward(x, c, 4.0).shape == grad_y.shape
    by_x, by_c = reference.vjp(x, c, 4.0, grad_y)
    assert by_x.shape == x.shape
    assert not by_x.any()
    assert by_c.shape == c.shape
    assert reference.vjp_of_vjp(x, c, 4.0, grad_y, x, c).grad_y.shape == grad_y.shape
