"""Mixed second derivatives."""

from __future__ import annotations

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_second_derivatives
from ..strategies import draw_cases, layers


class TestMixed:
    """Mixed second derivatives (for losses on dy/dx) are required, ∂²s/∂x² is zero."""

    @draw_cases(
        layers("off_knots"), Case(Problem(2, 1, 1, 5), 0, "off_knots", ((0, -1e3), (1, 1e3)))
    )
    def test_off_knots(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_second_derivatives, case)

    @draw_cases(layers("outside"))
    def test_outside_the_domain(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_second_derivatives, case)

    @draw_cases(
        layers("on_knots"),
        Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -2.0), (1, 2.0))),
        Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -0.0), (1, 1.0))),
    )
    def test_slope_on_the_right(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        """A knot belongs to the interval on its right (the last knot to the last interval)."""
        backend_under_test.run(check_second_derivatives, case)
