"""The smoothness penalty."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.maps import check_penalty
from ..shapes import MANY_POINTS
from ..strategies import LARGE_PARAMETERS, MAPS, MapKind, draw_cases, map_id, maps


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestPenalty:
    """R(c) = Σ_{i,o} ‖D c_{i,·,o}‖², computed in parameter space where that is exact."""

    @draw_cases(maps(), LARGE_PARAMETERS)
    def test_from_parameters(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_penalty, case.of(*kind))

    def test_of_many_points(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_penalty, Case(MANY_POINTS).of(*kind))
