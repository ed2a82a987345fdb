"""Outside the domain."""

from __future__ import annotations

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_forward, check_grad_control_points, check_grad_x
from ..strategies import draw_cases, layers

FAR = Case(Problem(2, 1, 1, 5), special=((0, -1e3), (1, 1e3)))
OF_MANY = Case(Problem(64, 2, 3, 1000, 20.0), 2, "outside")
FARTHEST = Case(Problem(2, 1, 1, 5), special=((0, -1e30), (1, 1e30)))


class TestLines:
    """Outside [−w/2, w/2] the first and last piece extrapolate linearly."""

    @draw_cases(layers("outside"), FAR, FARTHEST, OF_MANY)
    def test_value(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)

    @draw_cases(layers("outside"), FAR, FARTHEST)
    def test_gradient_of_inputs(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)

    @draw_cases(layers("outside"), FAR, FARTHEST)
    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, case)
