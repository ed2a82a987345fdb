"""Shapes, strides and who owns the memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given

from kanditioned_spec import Backend, Problem

from ..cases import Case
from ..checks import (
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_inputs_untouched,
    check_second_derivatives,
)
from ..strategies import cases, strided_cases
from ..subject import Subject
from ..tolerance import Ratios

Check = Callable[[Backend, Case], Ratios]
LAYER_CHECKS = (
    check_forward,
    check_grad_x,
    check_grad_control_points,
    check_second_derivatives,
)


@pytest.mark.parametrize("check", LAYER_CHECKS)
class TestShapes:
    """x has shape (..., I), an empty batch included; y has shape (..., O). Any strides."""

    @pytest.mark.parametrize("shape", [(0, 1, 1, 2), (0, 3, 2, 7), (1, 1, 1, 2), (1, 6, 1, 3)])
    def test_small(self, subject: Subject, check: Check, shape: tuple[int, int, int, int]) -> None:
        subject.run(check, Case(Problem(*shape), 0, "off_knots"))

    @given(case=strided_cases())
    @example(case=Case(Problem(4, 3, 2, 5), 0, "off_knots", layout="fortran"))
    @example(case=Case(Problem(4, 3, 2, 5), 0, "off_knots", layout="stepped"))
    def test_strides(self, subject: Subject, check: Check, case: Case) -> None:
        subject.run(check, case)


class TestOwnership:
    """A backend has NumPy in, NumPy out: what comes in is the caller's."""

    @given(case=cases("off_knots"))
    @example(case=Case(Problem(3, 2, 2, 5), 0, "off_knots"))
    def test_inputs_are_untouched(self, subject: Subject, case: Case) -> None:
        subject.run(check_inputs_untouched, case)
