"""Samples that meet in one interval."""

from __future__ import annotations

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_grad_control_points, check_second_derivatives
from ..shapes import LONG_BATCH
from ..strategies import draw_cases, layers


class TestSharedInterval:
    """Samples that share an interval accumulate."""

    @draw_cases(
        layers("one_interval", min_batch=2),
        Case(Problem(2, 1, 1, 5), 0, "off_knots", ((0, 0.5), (1, 0.5))),
    )
    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, case)

    def test_a_long_batch(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_grad_control_points, Case(LONG_BATCH, 0, "one_interval"))

    @draw_cases(layers("one_interval", min_batch=2))
    def test_second_derivatives(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_second_derivatives, case)
