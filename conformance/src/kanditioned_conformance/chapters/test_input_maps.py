"""What may stand before a layer."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.contract import check_input_map_dtype
from ..checks.input_maps import (
    check_map_input,
    check_map_layouts,
    check_map_non_finite,
    check_map_offset,
    check_map_slope,
)
from ..strategies import draw_cases, maps

ONE_SHAPE = maps(2)
"""A map knows nothing of the layer, so one problem is enough."""


class TestMap:
    """A fixed, strictly increasing, piecewise linear map per feature, with linear ends."""

    @draw_cases(ONE_SHAPE)
    def test_values(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        """Never flat where data are tied, never falling by a rounding."""
        backend_under_test.run(check_map_input, case)

    @pytest.mark.parametrize("count", [2, 3, 65, 150])
    def test_any_number_of_breakpoints(
        self, backend_under_test: BackendUnderTest, count: int
    ) -> None:
        backend_under_test.run(check_map_input, ONE_SHAPE.table[0], count=count)

    def test_dtype(self, backend_under_test: BackendUnderTest) -> None:
        """Both results have the dtype that is asked for, rounded to it."""
        backend_under_test.run(check_input_map_dtype, ONE_SHAPE.table[0])

    def test_any_strides(self, backend_under_test: BackendUnderTest) -> None:
        """x has shape (B, I), an empty batch included. Any strides."""
        backend_under_test.run(check_map_layouts, ONE_SHAPE.table[0])

    @draw_cases(ONE_SHAPE)
    def test_slopes(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        """A breakpoint belongs to the piece on its right."""
        backend_under_test.run(check_map_slope, case)

    @draw_cases(ONE_SHAPE)
    def test_offsets(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        """Offsets are subtracted in float64 before rounding (timestamps)."""
        backend_under_test.run(check_map_offset, case)

    @draw_cases(ONE_SHAPE)
    def test_non_finite(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        """NaN gives NaN, in the slope too; ±inf gives ±inf."""
        backend_under_test.run(check_map_non_finite, case)
