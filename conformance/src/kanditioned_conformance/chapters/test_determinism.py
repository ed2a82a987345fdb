"""The same bits every time."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.contract import check_layer_determinism, check_map_determinism
from ..shapes import LONG_BATCH
from ..strategies import MAPS, MapKind, drawn, layers, map_id, maps


class TestLayer:
    """Two runs on the same inputs give the same bits, gradients included."""

    @drawn(layers("one_interval"), Case(LONG_BATCH, 0, "one_interval"))
    def test_same_bits(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_determinism, case)


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestMaps:
    """Two runs on the same inputs give the same bits, gradients included."""

    @drawn(maps())
    def test_same_bits(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_map_determinism, case.of(*kind))
