"""Samples that meet in one interval."""

from __future__ import annotations

from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_grad_control_points, check_second_derivatives
from ..strategies import cases
from ..subject import Subject


class TestSharedInterval:
    """Samples that share an interval accumulate."""

    @given(case=cases("one_interval", min_batch=2))
    @example(case=Case(Problem(2, 1, 1, 2), 0, "one_interval"))
    @example(case=Case(Problem(2, 1, 1, 5), 0, "off_knots", ((0, 0.5), (1, 0.5))))
    @example(case=Case(Problem(40, 3, 4, 6, 6.5), 1, "one_interval"))
    @example(case=Case(Problem(300, 2, 2, 3), 2, "one_interval"))
    def test_gradient_of_control_points(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_control_points, case)

    @given(case=cases("off_knots", min_batch=2))
    @example(case=Case(Problem(2, 1, 1, 2), 0, "off_knots"))
    @example(case=Case(Problem(40, 2, 3, 3), 1, "off_knots"))
    def test_second_derivatives(self, subject: Subject, case: Case) -> None:
        subject.run(check_second_derivatives, case)
