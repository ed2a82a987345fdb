"""Files."""

from __future__ import annotations

import pytest

from ..cases import Case
from ..checks import Check
from ..checks.files import DAMAGES, check_damage, check_load, check_save, check_save_and_load
from ..shapes import MAPS as SHAPES
from ..strategies import MAPS, MapKind, map_id
from ..subject import Subject

CASE = Case(SHAPES[1])


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestBits:
    """What one backend writes, every other reads, bit for bit."""

    @pytest.mark.parametrize("check", [check_save, check_load, check_save_and_load])
    def test_between_backends(self, subject: Subject, kind: MapKind, check: Check) -> None:
        subject.run(check, CASE.of(*kind))


class TestDamage:
    """A damaged, truncated or hostile file gives one clear error."""

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_is_refused(self, subject: Subject, damage: str) -> None:
        subject.run(check_damage, CASE, damage=damage)
