"""Files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.files import (
    DAMAGES,
    REWRITES,
    check_damage,
    check_load,
    check_save,
    check_save_and_load,
)
from ..shapes import MAPS as SHAPES
from ..strategies import MAPS, MapKind, map_id

CASE = Case(replace(SHAPES[1], in_features=2))
"""Its width is no default that a reader could take for granted, and no number of float32."""
SHAPED = Case(replace(CASE.problem, monotone=(1, 0), convex=(0, -1)))


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestBits:
    """What one backend writes, every other reads, bit for bit."""

    @pytest.mark.parametrize("check", [check_save, check_load, check_save_and_load])
    def test_between_backends(
        self, backend_under_test: BackendUnderTest, kind: MapKind, check: Check
    ) -> None:
        backend_under_test.run(check, CASE.of(*kind))


class TestShapes:
    """What one backend writes, every other reads: signs of features, if any has a shape."""

    @pytest.mark.parametrize("check", [check_save, check_load, check_save_and_load])
    def test_between_backends(self, backend_under_test: BackendUnderTest, check: Check) -> None:
        backend_under_test.run(check, SHAPED)


class TestDamage:
    """A damaged, truncated or hostile file gives one clear error; so does one of a newer format."""

    @pytest.mark.parametrize("damage", [*DAMAGES, *REWRITES])
    def test_is_refused(self, backend_under_test: BackendUnderTest, damage: str) -> None:
        backend_under_test.run(check_damage, CASE, damage=damage)
