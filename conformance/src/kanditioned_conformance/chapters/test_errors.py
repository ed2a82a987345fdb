"""Arguments that no layer can have."""

from __future__ import annotations

from typing import Any

import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.construction import check_acceptance, check_refusal

CASE = Case(Problem(0, 2, 3, 32))
REFUSED = [
    ("in_features", 0, "ValueError"),
    ("in_features", 2.0, "TypeError"),
    ("out_features", -1, "ValueError"),
    ("out_features", "3", "TypeError"),
    ("num_control_points", 1, "ValueError"),
    ("num_control_points", 2.5, "TypeError"),
    ("num_control_points", True, "TypeError"),
    ("spline_width", 0.0, "ValueError"),
    ("spline_width", -4.0, "ValueError"),
    ("spline_width", float("inf"), "ValueError"),
    ("spline_width", float("nan"), "ValueError"),
    ("spline_width", "4", "TypeError"),
    ("init", "identity", "ValueError"),
    ("init", "normal", "ValueError"),
    ("parameterization", "spline", "ValueError"),
]
ACCEPTED = [
    ("in_features", 1),
    ("num_control_points", 2),
    ("spline_width", 4),
    ("init", "zero"),
]


class TestMessages:
    """Callable and argument, constraint, received value, what to do; `assert` checks no input."""

    @pytest.mark.parametrize(("argument", "value", "error"), REFUSED)
    def test_bad_arguments(
        self, backend_under_test: BackendUnderTest, argument: str, value: Any, error: str
    ) -> None:
        backend_under_test.run(check_refusal, CASE, argument=argument, value=value, error=error)

    @pytest.mark.parametrize(("argument", "value"), ACCEPTED)
    def test_good_arguments(
        self, backend_under_test: BackendUnderTest, argument: str, value: Any
    ) -> None:
        backend_under_test.run(check_acceptance, CASE, argument=argument, value=value)
