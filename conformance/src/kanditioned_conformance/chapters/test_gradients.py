"""The gradients of the inputs and of the control points."""

from __future__ import annotations

from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_grad_control_points, check_grad_x
from ..strategies import cases
from ..subject import Subject


class TestInputs:
    """Derivatives. ds/dx = (c_{l+1} − c_l)/h."""

    @given(case=cases("off_knots"))
    @example(case=Case(Problem(1, 1, 1, 2), 0, "off_knots"))
    @example(case=Case(Problem(9, 1, 2, 9, 6.5), 1, "off_knots"))
    @example(case=Case(Problem(2, 1, 1, 6, 20.0), 0, "off_knots", ((0, -10.0), (1, 10.0))))
    def test_off_knots(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_x, case)

    @given(case=cases("outside"))
    @example(case=Case(Problem(2, 1, 1, 8), 0, special=((0, -1e3), (1, 1e3))))
    @example(case=Case(Problem(2, 1, 1, 8), 0, special=((0, -1e30), (1, 1e30))))
    def test_outside_the_domain(self, subject: Subject, case: Case) -> None:
        """Outside [−w/2, w/2] the first and last piece extrapolate linearly."""
        subject.run(check_grad_x, case)


class TestInputsOnKnots:
    """A knot belongs to the interval on its right (the last knot to the last interval)."""

    @given(case=cases("on_knots"))
    @example(case=Case(Problem(3, 1, 1, 2), 0, "on_knots"))
    @example(case=Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -2.0), (1, 2.0))))
    @example(case=Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -0.0), (1, 1.0))))
    def test_slope_on_the_right(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_x, case)


class TestControlPoints:
    """∂s/∂c_l = 1 − t; ∂s/∂c_{l+1} = t."""

    @given(case=cases())
    @example(case=Case(Problem(1, 1, 1, 2)))
    @example(case=Case(Problem(3, 1, 1, 4, 6.5), 1))
    @example(case=Case(Problem(2, 1, 1, 5), 0, special=((0, -2.0), (1, 2.0))))
    @example(case=Case(Problem(2, 1, 1, 8), 0, special=((0, -1e30), (1, 1e3))))
    def test_anywhere(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_control_points, case)

    @given(case=cases("on_knots"))
    @example(case=Case(Problem(20, 2, 2, 9, 2.0), 1, "on_knots"))
    def test_on_knots(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_control_points, case)
