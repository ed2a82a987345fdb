"""Another grid, the same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.construction import check_refine, check_widen
from ..shapes import MAPS

LARGE = 2.0**6
"""By which numbers are multiplied: nothing clips them, and float16 still holds the results."""
CASES = [
    pytest.param(Case(problem, scale=LARGE), id=f"K={problem.num_control_points}")
    for problem in MAPS
]
FACTORS = {
    2: (*range(1, 18), 31, 100),
    3: (*range(1, 13), 16, 32),
    5: (1, 2, 3, 4, 5, 6, 7, 8),
}
"""By what the number of intervals is multiplied, by K; for others, `OTHERS`."""
OTHERS = (1, 2, 3, 4, 7)
REFINED = {
    p.num_control_points: [
        factor * (p.num_control_points - 1) + 1
        for factor in FACTORS.get(p.num_control_points, OTHERS)
    ]
    for p in MAPS
}
RESAMPLED = {
    2: (),
    3: (4, 2),
    5: (6, 3, 2, 16),
    12: (13, 6, 2, 40),
    70: (71, 24, 2, 300),
}
"""One more, fewer and many more control points; of K = 2 every number refines exactly."""


def targets(counts: Mapping[int, Iterable[int]]) -> list[Any]:
    """Return pairs of a case and a number of control points."""
    return [
        pytest.param(
            Case(problem, scale=LARGE), count, id=f"K={problem.num_control_points}-{count}"
        )
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

    @pytest.mark.parametrize("intervals", [0, 1, 2, 3, 10])
    def test_extrapolated_lines(
        self, backend_under_test: BackendUnderTest, case: Case, intervals: int
    ) -> None:
        backend_under_test.run(check_widen, case, intervals=intervals)
