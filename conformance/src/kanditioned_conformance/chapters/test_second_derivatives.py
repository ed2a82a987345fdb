"""Mixed second derivatives."""

from __future__ import annotations

from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_second_derivatives
from ..strategies import cases
from ..subject import Subject


class TestMixed:
    """Mixed second derivatives (for losses on dy/dx) are required, ∂²s/∂x² is zero."""

    @given(case=cases("off_knots"))
    @example(case=Case(Problem(1, 1, 1, 2), 0, "off_knots"))
    @example(case=Case(Problem(5, 2, 3, 9, 6.5), 1, "off_knots"))
    @example(case=Case(Problem(2, 1, 1, 8), 0, "off_knots", ((0, -1e3), (1, 1e3))))
    @example(case=Case(Problem(0, 2, 2, 4), 0, "off_knots"))
    def test_off_knots(self, subject: Subject, case: Case) -> None:
        subject.run(check_second_derivatives, case)

    @given(case=cases("outside"))
    @example(case=Case(Problem(4, 2, 2, 3), 0, "outside"))
    def test_outside_the_domain(self, subject: Subject, case: Case) -> None:
        subject.run(check_second_derivatives, case)

    @given(case=cases("on_knots"))
    @example(case=Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -2.0), (1, 2.0))))
    @example(case=Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -0.0), (1, 1.0))))
    def test_slope_on_the_right(self, subject: Subject, case: Case) -> None:
        """A knot belongs to the interval on its right (the last knot to the last interval)."""
        subject.run(check_second_derivatives, case)
