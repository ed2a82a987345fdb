"""The same bits every time."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.contract import check_layer_determinism, check_map_determinism
from ..checks.threads import check_layer_in_threads, check_maps_in_threads
from ..shapes import FEATURE_MAJOR, LONG_BATCH
from ..shapes import MAPS as MAP_SHAPES
from ..strategies import MAPS, MapKind, draw_cases, layers, map_id, maps


class TestLayer:
    """Two runs on the same inputs give the same bits, gradients included."""

    @draw_cases(layers("one_interval"), Case(LONG_BATCH, 0, "one_interval"))
    def test_same_bits(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_determinism, case)


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestMaps:
    """Two runs on the same inputs give the same bits, gradients included."""

    @draw_cases(maps())
    def test_same_bits(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_map_determinism, case.of(*kind))


class TestThreads:
    """Two runs on the same inputs give the same bits, also while another thread calls."""

    def test_of_layers(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_layer_in_threads, Case(FEATURE_MAJOR[1], 6, "off_knots"))

    @pytest.mark.parametrize("kind", MAPS[::4], ids=map_id)
    def test_of_maps(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_maps_in_threads, Case(MAP_SHAPES[1]).of(*kind))
