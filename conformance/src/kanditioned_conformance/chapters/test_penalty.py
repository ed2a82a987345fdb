"""The smoothness penalty."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_penalty
from ..strategies import MAPS, MapKind, map_cases, map_id
from ..subject import Subject


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestPenalty:
    """R(c) = Σ_{i,o} ‖D c_{i,·,o}‖², computed in parameter space where that is exact."""

    @given(case=map_cases())
    @example(case=Case(Problem(0, 1, 1, 2)))
    @example(case=Case(Problem(0, 2, 1, 3), 1))
    @example(case=Case(Problem(0, 1, 2, 4), 2))
    @example(case=Case(Problem(0, 3, 4, 70), 3))
    def test_from_parameters(self, subject: Subject, kind: MapKind, case: Case) -> None:
        subject.run(check_penalty, case.of(*kind))
