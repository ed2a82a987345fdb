"""NaN and infinities in the inputs."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_forward, check_grad_control_points, check_grad_x
from ..strategies import non_finite_cases
from ..subject import Subject

NAN_FIRST = Case(Problem(3, 2, 2, 5), 0, "off_knots", ((0, np.nan),))
NAN_LAST = Case(Problem(3, 2, 2, 5), 0, "off_knots", ((5, np.nan),))
ONLY_NAN = Case(Problem(1, 1, 1, 2), 0, "off_knots", ((0, np.nan),))
INFINITE = Case(Problem(3, 1, 2, 5), 0, "off_knots", ((0, np.inf), (1, -np.inf)))
OPPOSITE = Case(Problem(1, 2, 3, 2), 1, "off_knots", ((0, np.inf), (1, -np.inf)))


class TestNaN:
    """NaN in x[b, i] gives NaN in y[b, :] and in the gradient of x[b, i]; it never spoils another.

    The gradient of the control points has NaN where `kanditioned_spec.reference.vjp` has: at the
    two control points of interval 0 ("choose l = 0 first") of feature i.
    """

    @given(case=non_finite_cases((np.nan,)))
    @example(case=NAN_FIRST)
    @example(case=NAN_LAST)
    @example(case=ONLY_NAN)
    def test_value(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)

    @given(case=non_finite_cases((np.nan,)))
    @example(case=NAN_FIRST)
    @example(case=NAN_LAST)
    @example(case=ONLY_NAN)
    def test_gradient_of_inputs(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_x, case)

    @given(case=non_finite_cases((np.nan,)))
    @example(case=NAN_FIRST)
    @example(case=NAN_LAST)
    @example(case=ONLY_NAN)
    def test_gradient_of_control_points(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_control_points, case)


class TestInfinity:
    """±inf follows IEEE arithmetic of the value formula, c_l + t·(c_{l+1} − c_l)."""

    @given(case=non_finite_cases())
    @example(case=INFINITE)
    @example(case=OPPOSITE)
    def test_value(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)

    @given(case=non_finite_cases())
    @example(case=INFINITE)
    @example(case=OPPOSITE)
    def test_gradient_of_inputs(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_x, case)

    @given(case=non_finite_cases())
    @example(case=INFINITE)
    @example(case=OPPOSITE)
    def test_gradient_of_control_points(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_control_points, case)
