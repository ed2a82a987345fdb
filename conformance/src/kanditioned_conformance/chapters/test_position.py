"""Where an input falls."""

from __future__ import annotations

import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.layer import (
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_second_derivatives,
)
from ..strategies import draw_cases, layers


class TestKnots:
    """u = x·(K−1)/w + (K−1)/2. A knot belongs to the interval on its right."""

    @draw_cases(layers("on_knots"))
    def test_a_knot_has_its_control_point(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_forward, case)


class TestEnds:
    """Interval l = clip(⌊u⌋, 0, K−2); the last knot belongs to the last interval."""

    @draw_cases(
        layers(),
        Case(Problem(2, 1, 1, 5), special=((0, -2.0), (1, 2.0))),
        Case(Problem(2, 2, 1, 4, 6.5), special=((0, -3.25), (1, 3.25), (2, 3.25), (3, -3.25))),
        Case(Problem(2, 1, 1, 5), special=((0, -0.0), (1, 0.0))),
    )
    def test_ends_and_zeros(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)


@pytest.mark.parametrize(
    "check",
    [check_forward, check_grad_x, check_grad_control_points, check_second_derivatives],
)
class TestWidths:
    """u = x·(K−1)/w + (K−1)/2, for any w > 0 whose positions and slopes the dtype holds."""

    @pytest.mark.parametrize("width", ["narrow", "wide"])
    def test_any(self, backend_under_test: BackendUnderTest, check: Check, width: str) -> None:
        """Nothing is added to a width, and none is taken for at least or at most something."""
        exponent = 10 if backend_under_test.dtype == "float16" else 30
        domain = 2.0 ** {"narrow": -exponent, "wide": exponent}[width]
        case = Case(Problem(4, 3, 2, 6, domain), 3, "off_knots", scale=2**-6, grad_scale=2**-3)
        backend_under_test.run(check, case)
