"""From parameters to control points and back."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_control_points, check_products, check_transpose
from ..strategies import ENTRYWISE_MAPS, MAP_COUNT, MAPS, MapKind, map_cases, map_id
from ..subject import Subject


@pytest.mark.parametrize("kind", ENTRYWISE_MAPS, ids=map_id)
class TestEntries:
    """Trainable parameters θ map linearly to control points along the knot axis, c = T θ."""

    @given(case=map_cases(MAP_COUNT))
    @example(case=Case(Problem(0, 1, 1, 2)))
    @example(case=Case(Problem(0, 2, 3, 3), 1))
    @example(case=Case(Problem(0, 1, 1, MAP_COUNT), 2))
    def test_control_points(self, subject: Subject, kind: MapKind, case: Case) -> None:
        subject.run(check_control_points, case.of(*kind))

    @given(case=map_cases(MAP_COUNT))
    @example(case=Case(Problem(0, 1, 1, 2)))
    @example(case=Case(Problem(0, 2, 3, 3), 1))
    @example(case=Case(Problem(0, 1, 1, MAP_COUNT), 2))
    def test_transpose(self, subject: Subject, kind: MapKind, case: Case) -> None:
        """Each has `control_points(θ)`, its transpose (for gradients)."""
        subject.run(check_transpose, case.of(*kind))


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestProducts:
    """`control_points(θ)` and its transpose; two evaluation paths that agree (`transform=`)."""

    @given(case=map_cases())
    @example(case=Case(Problem(0, 1, 1, 2)))
    @example(case=Case(Problem(0, 2, 3, 5), 1))
    @example(case=Case(Problem(0, 1, 1, 70), 1))
    def test_products(self, subject: Subject, kind: MapKind, case: Case) -> None:
        """⟨g, T θ⟩ = ⟨Tᵀ g, θ⟩."""
        subject.run(check_products, case.of(*kind))
