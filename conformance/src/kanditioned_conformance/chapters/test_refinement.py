"""Another grid, the same functions."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.construction import check_refine, check_widen
from ..shapes import MAPS

CASES = [pytest.param(Case(problem), id=f"K={problem.num_control_points}") for problem in MAPS]


@pytest.mark.parametrize("case", CASES)
class TestRefine:
    """K → m(K−1)+1 keeps every function exactly; other sizes resample and say so."""

    @pytest.mark.parametrize("factor", [1, 2, 3])
    def test_knot_insertion(
        self, backend_under_test: BackendUnderTest, case: Case, factor: int
    ) -> None:
        count = factor * (case.problem.num_control_points - 1) + 1
        backend_under_test.run(check_refine, case, num_control_points=count)

    def test_resampling(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        count = case.problem.num_control_points
        resampled = count + 1 if count > 2 else 2 * count  # every count refines K = 2 exactly
        backend_under_test.run(check_refine, case, num_control_points=resampled)


@pytest.mark.parametrize("case", CASES)
class TestWiden:
    """Widening the domain by whole intervals likewise."""

    @pytest.mark.parametrize("intervals", [0, 1, 3])
    def test_extrapolated_lines(
        self, backend_under_test: BackendUnderTest, case: Case, intervals: int
    ) -> None:
        backend_under_test.run(check_widen, case, intervals=intervals)
