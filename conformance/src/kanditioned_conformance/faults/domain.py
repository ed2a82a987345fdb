"""Right for the usual widths and inputs: not for tiny or huge ones, nor for subnormal inputs."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats

WIDTHS = "position::TestWidths::test_any"


class TakesAWidthForAtLeastAHundredth(Fault):
    caught_by = WIDTHS
    least: float = 1e-2
    most: float = np.inf

    def position(self, problem: Problem, x: Floats) -> Floats:
        width = min(max(problem.spline_width, self.least), self.most)
        return super().position(replace(problem, spline_width=width), x)


class TakesAWidthForAtMostAThousand(TakesAWidthForAtLeastAHundredth):
    caught_by = WIDTHS
    least, most = 0.0, 1e3


class AddsAnEpsilonToTheSpacing(Fault):
    caught_by = WIDTHS

    def spacing(self, problem: Problem) -> Any:
        return super().spacing(problem) + self.compute_dtype(problem)(1e-8)


class AddsAnEpsilonToTheInput(Fault):
    caught_by = WIDTHS

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(problem, x + x.dtype.type(1e-8))


class RoundsTheWidthToHundredths(Fault):
    caught_by = WIDTHS

    def position(self, problem: Problem, x: Floats) -> Floats:
        width = round(problem.spline_width, 2) or 1.0
        return super().position(replace(problem, spline_width=width), x)


class LosesSubnormalInputs(Fault):
    caught_by = "dtypes::TestSubnormalInputs::test_any"
    smallest: float = float(np.finfo(np.float32).tiny)

    def position(self, problem: Problem, x: Floats) -> Floats:
        lost = (np.abs(x) < self.smallest) & (x != 0)
        return np.where(lost, x.dtype.type(np.nan), super().position(problem, x))


class LosesSubnormalInputsOfFloat16(LosesSubnormalInputs):
    caught_by = "dtypes::TestSubnormalInputs::test_any"
    dtype = "float16"
    smallest = 2.0**-14


class NegativeZeroBelongsToTheLeft(Fault):
    caught_by = "gradients::TestInputsOnKnots::test_slope_on_the_right"

    def locate(self, problem: Problem, x: Floats) -> Any:
        interval, fraction = super().locate(problem, x)
        moved = np.signbit(x) & (x == 0) & (interval > 0) & (fraction == 0)
        return interval - moved, fraction + moved.astype(fraction.dtype)
