"""Positions and sums, whatever the storage dtype."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.contract import check_declared_accumulation
from ..checks.layer import check_forward, check_grad_control_points, check_grad_x
from ..shapes import LONG_BATCH, MANY_INPUTS, MANY_KNOTS, MANY_OUTPUTS

CASES = [
    pytest.param(Case(problem, seed, "off_knots"), id=f"K={problem.num_control_points}")
    for seed, problem in enumerate(MANY_KNOTS)
]


@pytest.mark.parametrize("case", CASES)
class TestPositions:
    """Positions are float32 or wider for every storage dtype; float64 stays float64 end to end."""

    def test_value(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)

    def test_gradient_of_inputs(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)

    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, case)


class TestSums:
    """Accumulation is float32 or wider for every storage dtype."""

    def test_value_over_features(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_forward, Case(MANY_INPUTS, 1, "off_knots"))

    def test_gradient_of_inputs_over_outputs(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_grad_x, Case(MANY_OUTPUTS, 2, "off_knots"))

    def test_gradient_of_control_points_over_the_batch(
        self, backend_under_test: BackendUnderTest
    ) -> None:
        backend_under_test.run(check_grad_control_points, Case(LONG_BATCH, 0, "one_interval"))

    def test_is_declared(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_declared_accumulation, Case(LONG_BATCH))
