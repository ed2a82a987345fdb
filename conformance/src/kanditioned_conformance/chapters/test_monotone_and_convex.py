"""Edges with a shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.constraints import (
    check_feasible,
    check_feasible_gradient,
    check_initial_shape,
    check_refined_shape,
    check_widened_shape,
)
from ..layouts import Layout
from ..shapes import MANY_POINTS
from ..shapes import MAPS as SHAPES
from ..strategies import PARAMETER_LAYOUTS, draw_cases, maps

MANY = Case(replace(MANY_POINTS, in_features=4, num_control_points=250))
"""Whole numbers up to K are those of every dtype."""
SIGNS = [(m, c) for m in (1, 0, -1) for c in (1, 0, -1) if m or c]


@pytest.mark.parametrize(("monotone", "convex"), SIGNS)
class TestFeasible:
    """Free control points to feasible ones after T: identity on feasible, closed-form gradient."""

    @draw_cases(maps())
    def test_points(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int, case: Case
    ) -> None:
        """Monotone (convex) control points ⇔ a monotone (convex) function, everywhere."""
        backend_under_test.run(check_feasible, case, monotone=monotone, convex=convex)

    @draw_cases(maps())
    def test_gradient(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int, case: Case
    ) -> None:
        backend_under_test.run(check_feasible_gradient, case, monotone=monotone, convex=convex)

    @draw_cases(maps())
    def test_refined(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int, case: Case
    ) -> None:
        """Refining keeps the functions, so it keeps their shapes."""
        backend_under_test.run(check_refined_shape, case, monotone=monotone, convex=convex)

    def test_widened(
        self, backend_under_test: BackendUnderTest, monotone: int, convex: int
    ) -> None:
        """Widening keeps the functions, so it keeps their shapes."""
        case = Case(SHAPES[3], 2)
        backend_under_test.run(check_widened_shape, case, monotone=monotone, convex=convex)


@pytest.mark.parametrize("layout", PARAMETER_LAYOUTS)
class TestStrides:
    """Any strides of the free control points."""

    @pytest.mark.parametrize("check", [check_feasible, check_feasible_gradient])
    def test_any(self, backend_under_test: BackendUnderTest, check: Check, layout: Layout) -> None:
        case = Case(SHAPES[1], 3, layout=layout)
        backend_under_test.run(check, case, monotone=1, convex=0)


@pytest.mark.parametrize(("monotone", "convex"), [(1, 0), (-1, 1)])
class TestManyPoints:
    """Free control points to feasible ones: of many, and of several features."""

    @pytest.mark.parametrize("check", [check_feasible, check_feasible_gradient])
    def test_any(
        self, backend_under_test: BackendUnderTest, check: Check, monotone: int, convex: int
    ) -> None:
        backend_under_test.run(check, MANY, monotone=monotone, convex=convex)


@pytest.mark.parametrize("monotone", [1, -1])
class TestInitial:
    """Monotone features get slopes of their sign; if all are monotone, Σ_i |a_io| = 1."""

    @pytest.mark.parametrize("problem", SHAPES[4:], ids=lambda p: f"K={p.num_control_points}")
    def test_slopes(
        self, backend_under_test: BackendUnderTest, problem: Problem, monotone: int
    ) -> None:
        backend_under_test.run(check_initial_shape, Case(problem, 4), monotone=monotone)
