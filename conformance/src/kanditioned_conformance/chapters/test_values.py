"""The value of the layer."""

from __future__ import annotations

from ..cases import Case
from ..checks.layer import check_forward
from ..shapes import LONG_BATCH
from ..strategies import drawn, layers
from ..subject import Subject


class TestValue:
    """Value. s(x) = c_l + t·(c_{l+1} − c_l); y[b, o] = Σ_i s_{i,o}(x[b, i])."""

    @drawn(layers())
    def test_anywhere(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)

    def test_in_a_long_batch(self, subject: Subject) -> None:
        subject.run(check_forward, Case(LONG_BATCH, 0, "off_knots"))
