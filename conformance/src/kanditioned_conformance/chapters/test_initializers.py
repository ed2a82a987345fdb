"""The control points of a new layer."""

from __future__ import annotations

import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.construction import (
    check_distribution,
    check_initial,
    check_random_normal,
    check_seed,
)
from ..shapes import MANY_POINTS, MAPS

LAYERS = [Case(problem) for problem in (*MAPS, MANY_POINTS)]
SQUARE = [
    Case(Problem(0, n, n, count, width))
    for n, count, width in [(1, 2, 4.0), (3, 6, 3.3), (3, 300, 6.5)]
]
SEVERAL = [case for case in LAYERS if case.problem.in_features > 1]
"""With a single input all slopes are 1 or -1, and two seeds may agree."""
MANY = Case(Problem(0, 500, 6, 3))


class TestIdentity:
    """`identity` c_k = x_k on the diagonal (needs I = O), in input units."""

    @pytest.mark.parametrize("case", SQUARE)
    def test_knots_on_the_diagonal(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_initial, case, init="identity")


class TestZero:
    """`zero`."""

    @pytest.mark.parametrize("case", LAYERS)
    def test_zeros(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_initial, case, init="zero")


class TestRandomNormal:
    """`random_normal` linear functions, every output's slope vector of unit Euclidean norm."""

    @pytest.mark.parametrize("case", LAYERS)
    def test_lines_of_unit_norm(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_random_normal, case)

    def test_slopes_are_normal(self, backend_under_test: BackendUnderTest) -> None:
        """Linear functions whose slopes are standard normal."""
        backend_under_test.run(check_distribution, MANY)

    @pytest.mark.parametrize("case", SEVERAL)
    def test_seed(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        """Deterministic from a seed or generator; the global random state is never touched."""
        backend_under_test.run(check_seed, case)
