"""Edges with a shape."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.constraints import check_feasible, check_feasible_gradient, check_refined_shape
from ..strategies import drawn, maps

SIGNS = [(m, c) for m in (1, 0, -1) for c in (1, 0, -1) if m or c]


@pytest.mark.parametrize(("monotone", "convex"), SIGNS)
class TestFeasible:
    """Free control points to feasible ones after T: identity on feasible, closed-form gradient."""

    @drawn(maps())
    def test_points(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int, case: Case
    ) -> None:
        """Monotone (convex) control points ⇔ a monotone (convex) function, everywhere."""
        backend_under_test.run(check_feasible, case, monotone=monotone, convex=convex)

    @drawn(maps())
    def test_gradient(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int, case: Case
    ) -> None:
        backend_under_test.run(check_feasible_gradient, case, monotone=monotone, convex=convex)

    @drawn(maps())
    def test_refined(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int, case: Case
    ) -> None:
        """Refining keeps the functions, so it keeps their shapes."""
        backend_under_test.run(check_refined_shape, case, monotone=monotone, convex=convex)
