"""Where an input falls: interval and fraction, on a grid whose arithmetic is exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kanditioned_spec import Grid, numerics

INF, NAN = float("inf"), float("nan")

# Knots at -2, -1, 0, 1, 2: every number below is dyadic, so nothing rounds.
ON_FIVE_KNOTS = [
    ("first knot", -2.0, 0, 0.0),
    ("knot of the interval on its right", -1.0, 1, 0.0),
    ("centre", 0.0, 2, 0.0),
    ("negative zero", -0.0, 2, 0.0),
    ("last inner knot", 1.0, 3, 0.0),
    ("last knot, of the last interval", 2.0, 3, 1.0),
    ("inside", 0.25, 2, 0.25),
    ("left of a knot", np.nextafter(-1.0, -2.0), 0, 1.0 - 2.0**-52),
    ("below the domain", -3.5, 0, -1.5),
    ("above the domain", 4.25, 3, 3.25),
    ("far above", 1e30, 3, 1e30),
    ("far below", -1e30, 0, -1e30),
    ("infinity", INF, 3, INF),
    ("negative infinity", -INF, 0, -INF),
    ("NaN", NAN, 0, NAN),
]


@pytest.mark.parametrize(
    ("x", "interval", "fraction"),
    [case[1:] for case in ON_FIVE_KNOTS],
    ids=[case[0] for case in ON_FIVE_KNOTS],
)
def test_interval_and_fraction(x: float, interval: int, fraction: float) -> None:
    found = Grid(num_control_points=5, spline_width=4.0).locate(x)
    assert found.interval == interval
    assert found.fraction == pytest.approx(fraction, rel=0, abs=0, nan_ok=True)


def test_two_control_points_make_one_interval() -> None:
    found = Grid(2, 2.0).locate([-9.0, -1.0, 0.0, 1.0, 9.0])
    assert found.interval.tolist() == [0, 0, 0, 0, 0]
    assert found.fraction.tolist() == [-4.0, 0.0, 0.5, 1.0, 5.0]


def test_location_has_the_shape_of_the_input() -> None:
    for shape in [(), (0,), (3,), (2, 0, 4), (2, 3, 4)]:
        found = Grid(4, 1.0).locate(np.zeros(shape))
        assert found.interval.shape == found.fraction.shape == shape


@pytest.mark.parametrize("count", [2, 3, 8, 31, 1024])
@pytest.mark.parametrize("width", [0.3, 4.0, 1e6])
def test_interval_and_fraction_add_up_to_the_position(count: int, width: float) -> None:
    x = np.random.default_rng(count).uniform(-width, width, size=200)
    grid = Grid(count, width)
    u = grid.position(x)
    interval, fraction = grid.locate(x)
    assert ((interval >= 0) & (interval <= count - 2)).all()
    inside = np.abs(x) < width / 2
    assert ((fraction[inside] >= 0) & (fraction[inside] <= 1)).all()
    np.testing.assert_array_max_ulp(interval + fraction, u, maxulp=1)


@pytest.mark.parametrize("count", [2, 3, 8, 31, 1024])
@pytest.mark.parametrize("width", [0.3, 4.0, 1e6])
def test_knots_are_symmetric_and_at_whole_positions(count: int, width: float) -> None:
    grid = Grid(count, width)
    knots = grid.knots()
    np.testing.assert_array_equal(knots, -knots[::-1])
    assert knots[-1] == width / 2
    # Two sums and products on numbers of size w / 2, in knot units.
    bound = numerics.tolerance(np.full(count, count - 1.0), np.arange(count), "float64")
    assert (np.abs(grid.position(knots) - np.arange(count)) <= bound).all()


@pytest.mark.parametrize("count", [2, 7, 32, 1000])
@pytest.mark.parametrize("width", [0.25, 4.0])
def test_knots_are_correctly_rounded_for_widths_that_are_powers_of_two(
    count: int, width: float
) -> None:
    exact = [
        float(Fraction(width) * Fraction(2 * k - count + 1, 2 * count - 2)) for k in range(count)
    ]
    assert Grid(count, width).knots().tolist() == exact


def test_spacing_is_that_of_the_knots() -> None:
    grid = Grid(9, 4.0)
    assert grid.spacing == 0.5
    assert grid.knots_per_unit == 2.0
    np.testing.assert_array_equal(np.diff(grid.knots()), np.full(8, 0.5))


def test_a_refined_grid_has_the_same_domain() -> None:
    assert Grid(5, 4.0).refined(9) == Grid(9, 4.0)


@pytest.mark.parametrize("intervals", [0, 1, 5])
def test_a_widened_grid_has_the_old_knots(intervals: int) -> None:
    wide = Grid(5, 4.0).widened(intervals)
    assert wide.spacing == 1.0
    np.testing.assert_array_equal(wide.knots()[intervals : intervals + 5], Grid(5, 4.0).knots())


@pytest.mark.parametrize(
    ("reach", "keep", "want"),
    [
        (1.5, "spacing", Grid(5, 4.0)),
        (2.0, "spacing", Grid(5, 4.0)),
        (2.5, "spacing", Grid(7, 6.0)),
        (4.0, "spacing", Grid(9, 8.0)),
        (1.5, "num_control_points", Grid(5, 3.0)),
        (4.0, "num_control_points", Grid(5, 8.0)),
    ],
)
def test_a_fitted_grid_holds_what_it_must_reach(reach: float, keep: str, want: Grid) -> None:
    assert Grid(5, 4.0).fitted(reach, keep) == want


def test_a_checked_grid_says_what_is_wrong_with_its_arguments() -> None:
    assert Grid.from_arguments("KANLayer", np.int64(8), 2) == Grid(8, 2.0)
    with pytest.raises(ValueError, match=r"`KANLayer\(num_control_points=...\)` must be"):
        Grid.from_arguments("KANLayer", 1, 4.0)
    with pytest.raises(ValueError, match=r"`KANLayer\(spline_width=...\)` must be"):
        Grid.from_arguments("KANLayer", 2, float("nan"))
