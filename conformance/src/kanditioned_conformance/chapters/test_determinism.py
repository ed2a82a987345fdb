"""The same bits every time."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_layer_determinism, check_map_determinism
from ..strategies import MAPS, MapKind, cases, map_cases, map_id
from ..subject import Subject


class TestLayer:
    """Two runs on the same inputs give the same bits, gradients included."""

    @given(case=cases("one_interval"))
    @example(case=Case(Problem(3000, 2, 3, 2), 0, "one_interval"))
    @example(case=Case(Problem(500, 8, 16, 9), 1))
    def test_same_bits(self, subject: Subject, case: Case) -> None:
        subject.run(check_layer_determinism, case)


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestMaps:
    """Two runs on the same inputs give the same bits, gradients included."""

    @given(case=map_cases())
    @example(case=Case(Problem(0, 8, 16, 70)))
    def test_same_bits(self, subject: Subject, kind: MapKind, case: Case) -> None:
        subject.run(check_map_determinism, case.of(*kind))
