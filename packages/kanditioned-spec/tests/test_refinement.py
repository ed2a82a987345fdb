"""Another grid, the same functions."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest

from kanditioned_spec import Grid, ResampleWarning, numerics, reference, refinement
from kanditioned_spec.grid import Array

COUNTS = (2, 3, 5, 8, 32)


def control_points(count: int) -> Array:
    return np.random.default_rng(count).normal(size=(3, count, 2))


def assert_same_functions(old: Array, old_width: float, new: Array, new_width: float) -> None:
    x = np.random.default_rng(0).uniform(-1.5, 1.5, size=(300, 3)) * new_width
    conditions = [
        numerics.forward_condition(x, c, w) for c, w in ((old, old_width), (new, new_width))
    ]
    want = reference.forward(x, old, old_width)
    bound = numerics.tolerance(sum(conditions), want, "float64")
    assert (np.abs(reference.forward(x, new, new_width) - want) <= bound).all()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_cutting_every_interval_keeps_the_functions(times: int, count: int) -> None:
    c = control_points(count)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fine = refinement.refine(c, times * (count - 1) + 1)
    assert_same_functions(c, 4.0, fine, 4.0)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_shared_knots_keep_their_bits(times: int, count: int) -> None:
    c = control_points(count)
    fine = refinement.refine(c, times * (count - 1) + 1)
    np.testing.assert_array_equal(fine[:, ::times], c)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("intervals", [0, 1, 4])
def test_a_wider_domain_keeps_the_functions(intervals: int, count: int) -> None:
    c = control_points(count)
    wide, width = refinement.widen(c, 4.0, intervals)
    assert width == pytest.approx(4.0 * (1 + 2 * intervals / (count - 1)), rel=1e-15)
    np.testing.assert_array_equal(wide[:, intervals : intervals + count], c)
    assert_same_functions(c, 4.0, wide, width)


@pytest.mark.parametrize(
    ("old", "new", "better"), [(5, 8, 9), (5, 10, 9), (8, 4, 8), (4, 2, 4), (32, 64, 63)]
)
def test_other_counts_sample_the_old_functions_and_say_so(old: int, new: int, better: int) -> None:
    c = control_points(old)
    with pytest.warns(ResampleWarning, match=rf"{new} control points.*\b{better} would keep") as w:
        resampled = refinement.refine(c, new)
    assert w[0].filename == __file__  # it points at the caller
    old_knots, new_knots = np.linspace(0, 1, old), np.linspace(0, 1, new)
    for i in range(3):
        for o in range(2):
            want = np.interp(new_knots, old_knots, c[i, :, o])
            bound = numerics.CONSTANT * numerics.FORMATS["float64"].eps * new * np.abs(c).max()
            np.testing.assert_allclose(resampled[i, :, o], want, rtol=0, atol=bound)


@pytest.mark.parametrize(("old", "new"), [(2, 2), (2, 9), (5, 5), (5, 9), (5, 13)])
def test_exact_counts(old: int, new: int) -> None:
    assert refinement.is_exact(old, new)
    assert not refinement.is_exact(new + 1, old + 1) or old == new


def test_rows_are_weights_of_hat_functions() -> None:
    matrix = refinement.refinement_matrix(8, 50)
    assert (matrix >= 0).all()
    assert ((matrix > 0).sum(axis=1) <= 2).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-15)


@pytest.mark.parametrize(("count", "error"), [(1, ValueError), (2.5, TypeError), (True, TypeError)])
def test_bad_counts_are_refused(count: float, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`refine\(num_control_points=\.\.\.\)` .*>= 2, got"):
        refinement.refine(control_points(4), count)  # type: ignore[arg-type]


def test_bad_widenings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`widen\(intervals=\.\.\.\)` .* >= 0, got -1"):
        refinement.widen(control_points(4), 4.0, -1)
    with pytest.raises(ValueError, match=r"`widen\(spline_width=\.\.\.\)` .* > 0, got 0"):
        refinement.widen(control_points(4), 0.0, 1)


def test_nested_grids_end_with_the_one_given() -> None:
    def counts(count: int, coarsest: int = 5) -> list[int]:
        grids = refinement.nested_grids(Grid(count, 4.0), coarsest)
        return [grid.num_control_points for grid in grids]

    assert counts(161) == [6, 11, 21, 41, 81, 161]
    assert counts(9, coarsest=1) == [2, 3, 5, 9]
    assert counts(6) == [6]
    assert counts(2) == [2]
    with pytest.raises(ValueError, match=r"nested_grids\(coarsest=\.\.\.\).* >= 1, got 0"):
        counts(16, coarsest=0)


@pytest.mark.parametrize("count", [*range(2, 70), 127, 161, 1000])
@pytest.mark.parametrize("coarsest", [1, 5])
def test_nested_grids_hold_one_another_exactly(count: int, coarsest: int) -> None:
    grids = refinement.nested_grids(Grid(count, 3.0), coarsest)
    assert grids[-1] == Grid(count, 3.0)
    assert grids[0].num_control_points - 1 <= coarsest
    rng = np.random.default_rng(count)
    for coarse, fine in pairwise(grids):
        c = rng.normal(size=(2, coarse.num_control_points, 3))
        change = refinement.nested_change(coarse, fine)
        assert change.grid == fine
        x = np.concatenate([rng.uniform(-2, 2, (50, 2)), [[-9.0, 9.0], [9.0, -9.0]]])
        want = reference.forward(x, c, coarse.spline_width)
        got = reference.forward(x, change.matrix @ c, fine.spline_width)
        bound = numerics.forward_condition(x, c, coarse.spline_width) + 60 * abs(c).max()
        assert (abs(got - want) <= numerics.tolerance(bound, want, "float64")).all()


def test_nested_grids_need_an_interval() -> None:
    with pytest.raises(ValueError, match=r"`nested_grids\(coarsest=...\)` must be"):
        refinement.nested_grids(Grid(16, 4.0), 0)
