"""How a domain is fitted to data: one decision, for every backend."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from kanditioned_spec import Grid, ResampleWarning, domain, refinement

GRID = Grid(5, 4.0)
LINE = np.linspace(-2.0, 2.0, 5).reshape(1, 5, 1)
BENT = np.array([0.0, 1.0, 0.0, 1.0, 0.0]).reshape(1, 5, 1)


def test_keeping_the_spacing_widens_and_changes_nothing() -> None:
    change = domain.fit_grid(GRID, 3.0, "spacing", BENT, "float32")
    assert change.grid == Grid(7, 6.0)
    np.testing.assert_array_equal(change.matrix, refinement.widening_matrix(5, 1))


@pytest.mark.parametrize("reach", [0.5, 3.0])
def test_keeping_the_number_is_exact_for_lines(reach: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        change = domain.fit_grid(GRID, reach, "num_control_points", LINE, "float32")
    assert change.grid == Grid(5, 2 * reach)
    np.testing.assert_allclose(change.matrix @ LINE, change.grid.knots().reshape(1, 5, 1))


def test_keeping_the_number_says_so_where_functions_change() -> None:
    with pytest.warns(ResampleWarning, match=r"changed by up to .* at the old knots") as caught:
        domain.fit_grid(GRID, 3.0, "num_control_points", BENT, "float32")
    assert caught[0].filename == __file__  # the first line outside of these packages


@pytest.mark.parametrize("keep", domain.KEEP)
def test_inputs_that_are_all_zero_leave_the_domain(keep: str) -> None:
    zeros = domain.Magnitudes(2)
    zeros.add(np.zeros((5, 2)))
    change = domain.fit_grid(GRID, zeros.reach("f", 0.99), keep, BENT, "float32")
    assert change.grid == GRID
    np.testing.assert_array_equal(change.matrix, np.eye(5))
