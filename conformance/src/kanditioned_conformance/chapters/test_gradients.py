"""The gradients of the inputs and of the control points."""

from __future__ import annotations

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_grad_control_points, check_grad_x
from ..shapes import LONG_BATCH
from ..strategies import draw_cases, layers

ENDS = Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -2.0), (1, 2.0)))
ZERO = Case(Problem(2, 1, 1, 5), 0, "on_knots", ((0, -0.0), (1, 1.0)))

NONE = Case(Problem(5, 2, 2, 9, 2.0), 0, "off_knots", grad_scale=0.0)
"""An incoming gradient that is zero."""


class TestInputs:
    """Derivatives. ds/dx = (c_{l+1} − c_l)/h."""

    @draw_cases(layers("off_knots"), NONE)
    def test_off_knots(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)

    def test_in_a_long_batch(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_grad_x, Case(LONG_BATCH, 0, "off_knots"))


class TestInputsOnKnots:
    """A knot belongs to the interval on its right (the last knot to the last interval)."""

    @draw_cases(layers("on_knots"), ENDS, ZERO)
    def test_slope_on_the_right(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)


class TestControlPoints:
    """∂s/∂c_l = 1 − t; ∂s/∂c_{l+1} = t."""

    @draw_cases(layers(), NONE)
    def test_anywhere(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_control_points, case)

    @draw_cases(layers("on_knots"), ENDS)
    def test_on_knots(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_control_points, case)
