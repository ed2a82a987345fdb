"""Where x falls, what is read there and where gradients go."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from typing import Any

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats, Indices


class RoundsInsteadOfFloor(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        return np.clip(np.rint(u), 0, problem.num_control_points - 2).astype(np.intp)


class ClampsInsteadOfExtrapolating(Fault):
    caught_by = "extrapolation::TestLines::test_value"

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(problem, x).clip(0, problem.num_control_points - 1)


class SpacesByKInsteadOfKMinusOne(Fault):
    caught_by = "position::TestKnots::test_a_knot_has_its_control_point"

    def position(self, problem: Problem, x: Floats) -> Floats:
        count = problem.num_control_points
        return super().position(problem, x) * x.dtype.type(count / (count - 1))


class SwapsTheFraction(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        return right + fraction * (left - right)


class SwapsTheWeightsOfTheGradient(Fault):
    caught_by = "gradients::TestControlPoints::test_anywhere"

    def weights(self, fraction: Floats) -> tuple[Floats, Floats]:
        return fraction, 1 - fraction


class LastIntervalOffByOne(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        return super().interval(problem, u).clip(0, max(problem.num_control_points - 3, 0))


class KnotsBelongToTheLeft(Fault):
    caught_by = "gradients::TestInputsOnKnots::test_slope_on_the_right"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        left = np.clip(np.ceil(u) - 1, 0, problem.num_control_points - 2)
        return np.asarray(left, dtype=np.intp)


class CastsToAnIntegerBeforeClipping(Fault):
    caught_by = "extrapolation::TestLines::test_value"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        with np.errstate(invalid="ignore"):
            lowest = np.floor(np.where(np.isnan(u), 0, u)).astype(np.int32)
        return lowest.clip(0, problem.num_control_points - 2).astype(np.intp)


class WritesInsteadOfAccumulating(Fault):
    caught_by = "accumulation::TestSharedInterval::test_gradient_of_control_points"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        gc[knot] += terms


class ForgetsTheSpacing(Fault):
    caught_by = "gradients::TestInputs::test_off_knots"

    def spacing(self, problem: Problem) -> Any:
        return self.compute_dtype(problem)(1)


class ForgetsTheSpacingInSecondDerivatives(Fault):
    caught_by = "second_derivatives::TestMixed::test_off_knots"

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy = super().vjp_of_vjp(problem, *arrays)
        return x, c * self.spacing(problem), gy


class DropsTheValueTermOfTheSecondDerivative(Fault):
    caught_by = "second_derivatives::TestMixed::test_off_knots"

    def value_along(self, direction: Floats, interval: Indices, fraction: Floats) -> Floats:
        return np.zeros_like(direction[interval])


class AddsTheGradientToTheWrongNeighbour(Fault):
    caught_by = "gradients::TestControlPoints::test_anywhere"

    def neighbour(self, problem: Problem, interval: Indices) -> Indices:
        return (interval + 2).clip(0, problem.num_control_points - 1)


class NoSlopeOutsideTheDomain(Fault):
    caught_by = "extrapolation::TestLines::test_gradient_of_inputs"

    def slope(self, problem: Problem, c: Floats, interval: Indices, fraction: Floats) -> Floats:
        inside = (fraction >= 0) & (fraction <= 1)
        return super().slope(problem, c, interval, fraction) * inside[:, None]
