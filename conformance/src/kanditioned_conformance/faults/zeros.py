"""What is left out because the gradient that comes in is zero."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats


class SkipsRowsWithoutGradient(Fault):
    caught_by = "non_finite::TestNaN::test_gradient_of_inputs"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        gx[(arrays[2] == 0).all(-1)] = 0
        return gx, gc


class SkipsAGradientOfZero(Fault):
    caught_by = "non_finite::TestNaN::test_gradient_of_control_points"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        return gx, gc if np.any(arrays[2]) else np.zeros_like(gc)
