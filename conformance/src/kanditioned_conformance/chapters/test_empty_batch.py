"""A batch without rows."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.layer import (
    check_feature_major,
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_second_derivatives,
)
from ..checks.maps import check_layer_of_parameters
from ..shapes import LAYERS

GRADIENTS = (check_grad_control_points, check_second_derivatives, check_layer_of_parameters)
CASES = [Case(problem) for problem in LAYERS if problem.batch == 0]


@pytest.mark.parametrize("case", CASES)
class TestEmptyBatch:
    """x has shape (..., I) with any leading shape, an empty batch included."""

    @pytest.mark.parametrize("check", [check_forward, check_grad_x, check_feature_major])
    def test_results_are_empty(
        self, backend_under_test: BackendUnderTest, check: Check, case: Case
    ) -> None:
        backend_under_test.run(check, case)

    @pytest.mark.parametrize("check", GRADIENTS)
    def test_gradients_are_zero(
        self, backend_under_test: BackendUnderTest, check: Check, case: Case
    ) -> None:
        backend_under_test.run(check, case)
