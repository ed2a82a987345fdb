"""Where an input falls."""

from __future__ import annotations

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_forward
from ..strategies import drawn, layers


class TestKnots:
    """u = x·(K−1)/w + (K−1)/2. A knot belongs to the interval on its right."""

    @drawn(layers("on_knots"))
    def test_a_knot_has_its_control_point(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_forward, case)


class TestEnds:
    """Interval l = clip(⌊u⌋, 0, K−2); the last knot belongs to the last interval."""

    @drawn(
        layers(),
        Case(Problem(2, 1, 1, 5), special=((0, -2.0), (1, 2.0))),
        Case(Problem(2, 2, 1, 4, 6.5), special=((0, -3.25), (1, 3.25), (2, 3.25), (3, -3.25))),
        Case(Problem(2, 1, 1, 5), special=((0, -0.0), (1, 0.0))),
    )
    def test_ends_and_zeros(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)
