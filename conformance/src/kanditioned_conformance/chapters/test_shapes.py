"""Shapes, strides and who owns the memory."""

from __future__ import annotations

import pytest

from ..cases import Case
from ..checks import Check
from ..checks.contract import check_inputs_untouched
from ..checks.layer import (
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_second_derivatives,
)
from ..strategies import drawn, layers, strided
from ..subject import Subject

CHECKS = (check_forward, check_grad_x, check_grad_control_points, check_second_derivatives)


@pytest.mark.parametrize("check", CHECKS)
class TestStrides:
    """x has shape (..., I); y has shape (..., O). Any strides."""

    @drawn(strided())
    def test_any_layout(self, subject: Subject, check: Check, case: Case) -> None:
        subject.run(check, case)


class TestOwnership:
    """A backend has NumPy in, NumPy out: what comes in is the caller's."""

    @drawn(layers("off_knots"))
    def test_inputs_are_untouched(self, subject: Subject, case: Case) -> None:
        subject.run(check_inputs_untouched, case)
