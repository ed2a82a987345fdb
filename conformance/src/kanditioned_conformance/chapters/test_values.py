"""The value of the layer."""

from __future__ import annotations

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_forward
from ..shapes import LONG_BATCH
from ..strategies import draw_cases, layers


class TestValue:
    """Value. s(x) = c_l + t·(c_{l+1} − c_l); y[b, o] = Σ_i s_{i,o}(x[b, i])."""

    @draw_cases(layers())
    def test_anywhere(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)

    def test_in_a_long_batch(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_forward, Case(LONG_BATCH, 0, "off_knots"))
