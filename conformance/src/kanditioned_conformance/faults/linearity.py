"""Numbers that are larger than usual, or all zero: a layer is linear in its control points."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats, Indices

LARGE = "dtypes::TestLargeNumbers::test_any"
MOST = 10.0


def clip(array: Floats) -> Floats:
    """Keep finite numbers within what is usual."""
    return array.clip(-MOST, MOST) if np.isfinite(array).all() else array


class ClipsControlPoints(Fault):
    caught_by = LARGE

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        return super().forward(problem, x, clip(control_points))


class ClipsIncomingGradients(Fault):
    caught_by = LARGE

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        x, c, gy = arrays
        return super().vjp(problem, x, c, clip(gy))


class FeatureMajorClipsIncomingGradients(Fault):
    caught_by = LARGE

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy = arrays
        return super().feature_major(problem, x, c, clip(gy))


class ClipsTheCotangentsOfSecondDerivatives(Fault):
    caught_by = LARGE

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        return super().vjp_of_vjp(problem, *arrays[:3], *map(clip, arrays[3:]))


class ClipsParameters(Fault):
    caught_by = "parameterizations::TestMatrix::test_control_points"

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        return super().control_points(problem, clip(theta))


class ClipsTheGradientOfParameters(Fault):
    caught_by = "parameterizations::TestMatrix::test_transpose"

    def control_points_transpose(self, problem: Problem, grad: Floats) -> Floats:
        return super().control_points_transpose(problem, clip(grad))


class ClipsWhatItInverts(Fault):
    caught_by = "parameterizations::TestInverse::test_parameters_from"

    def parameters_from(self, problem: Problem, control_points: Floats) -> Floats:
        return super().parameters_from(problem, clip(control_points))


class ClipsWhatItPenalizes(Fault):
    caught_by = "penalty::TestPenalty::test_from_parameters"

    def penalty(self, problem: Problem, theta: Floats) -> float:
        return super().penalty(problem, clip(theta))


class ClipsWhatItRefines(Fault):
    caught_by = "refinement::TestRefine::test_knot_insertion"

    def refine(self, problem: Problem, control_points: Floats, num_control_points: int) -> Floats:
        return super().refine(problem, clip(control_points), num_control_points)


class ClipsWhatItWidens(Fault):
    caught_by = "refinement::TestWiden::test_extrapolated_lines"

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        return super().widen(problem, clip(control_points), intervals)


class SkipsInputsOfDeadEdges(Fault):
    """As a pruned network may, but then NaN is not seen."""

    caught_by = "non_finite::TestNaN::test_value"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        dead = ~control_points.any(axis=(1, 2))
        return super().forward(problem, np.where(dead, x.dtype.type(0), x), control_points)


class SkipsTheSlopeOfFlatEdges(Fault):
    caught_by = "non_finite::TestNaN::test_gradient_of_inputs"

    def slope(self, problem: Problem, c: Floats, interval: Indices, fraction: Floats) -> Floats:
        slope = super().slope(problem, c, interval, fraction)
        return np.where(c[interval + 1] == c[interval], c.dtype.type(0), slope)
