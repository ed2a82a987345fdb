"""Another grid, the same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.construction import check_refine, check_widen
from ..shapes import MAPS

CASES = [pytest.param(Case(problem), id=f"K={problem.num_control_points}") for problem in MAPS]
FACTORS = {2: (1, 2, 3, 5, 8, 100), 3: (1, 2, 3, 4, 9), 5: (1, 2, 3, 6)}
"""By what the number of intervals is multiplied, by K; for others, `OTHERS`."""
OTHERS = (1, 2, 3)
REFINED = {
    p.num_control_points: [
        factor * (p.num_control_points - 1) + 1
        for factor in FACTORS.get(p.num_control_points, OTHERS)
    ]
    for p in MAPS
}
RESAMPLED = {2: (), 3: (4, 2), 5: (6, 3), 12: (13, 6), 70: (71, 24)}
"""One more, and fewer control points; of K = 2 every number refines exactly."""


def targets(counts: Mapping[int, Iterable[int]]) -> list[Any]:
    """Return pairs of a case and a number of control points."""
    return [
        pytest.param(Case(problem), count, id=f"K={problem.num_control_points}-{count}")
        for problem in MAPS
        for count in counts[problem.num_control_points]
    ]


class TestRefine:
    """K → m(K−1)+1 keeps every function exactly; other sizes resample and say so."""

    @pytest.mark.parametrize(("case", "count"), targets(REFINED))
    def test_knot_insertion(
        self, backend_under_test: BackendUnderTest, case: Case, count: int
    ) -> None:
        backend_under_test.run(check_refine, case, num_control_points=count)

    @pytest.mark.parametrize(("case", "count"), targets(RESAMPLED))
    def test_resampling(self, backend_under_test: BackendUnderTest, case: Case, count: int) -> None:
        backend_under_test.run(check_refine, case, num_control_points=count)


@pytest.mark.parametrize("case", CASES)
class TestWiden:
    """Widening the domain by whole intervals likewise."""

    @pytest.mark.parametrize("intervals", [0, 1, 3])
    def test_extrapolated_lines(
        self, backend_under_test: BackendUnderTest, case: Case, intervals: int
    ) -> None:
        backend_under_test.run(check_widen, case, intervals=intervals)
