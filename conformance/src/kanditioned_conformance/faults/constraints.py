"""Input maps and shapes."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import numpy as np

from kanditioned_spec import InputMap, Problem
from kanditioned_spec.rounding import rounded

from .base import Fault
from .plain import Floats, Plain

POINTS = "monotone_and_convex::TestFeasible::test_points"


class MapIsFlatWhereItIsLeastSteep(Fault):
    caught_by = "input_maps::TestMap::test_values"

    def mapped(self, input_map: InputMap, x: Floats) -> Floats:
        piece, i = input_map.pieces(x), np.arange(input_map.in_features)
        flat = input_map.slopes[i, piece] <= 1.5 * input_map.slopes.min(1)
        return np.where(flat, input_map.images[i, piece], input_map(x))


class MapEndsInConstants(Fault):
    caught_by = "input_maps::TestMap::test_values"

    def mapped(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map(np.clip(x, input_map.breakpoints[:, 0], input_map.breakpoints[:, -1]))


class SlopeOfThePieceOnTheLeft(Fault):
    caught_by = "input_maps::TestMap::test_slopes"

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map.slope(np.nextafter(x.astype(np.float64), -np.inf))


class OffsetRoundedToTheDtype(Fault):
    caught_by = "input_maps::TestMap::test_offsets"

    def mapped(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map(rounded(x, "float32"))


class NanOfTheMapHasASlope(Fault):
    caught_by = "input_maps::TestMap::test_non_finite"

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map.slope(np.nan_to_num(x))


class FirstPointStaysFree(Fault):
    """A violation in extrapolation only."""

    caught_by = POINTS

    def blended(self, problem: Problem, c: Floats) -> Floats:
        points = super().blended(problem, c)
        points[list(problem.shapes.features), 0] = c[list(problem.shapes.features), 0]
        return points

    def in_order(self, problem: Problem, points: Floats) -> Floats:
        return points


class LastPointStaysFree(FirstPointStaysFree):
    caught_by = POINTS

    def blended(self, problem: Problem, c: Floats) -> Floats:
        points = Plain.blended(self, problem, c)
        points[list(problem.shapes.features), -1] = c[list(problem.shapes.features), -1]
        return points


class IncrementsAreRoundedOneByOne(Fault):
    """The hull without the exact order."""

    caught_by = POINTS

    def in_order(self, problem: Problem, points: Floats) -> Floats:
        return points.astype(self.compute_dtype(problem))


class ConvexIsTakenForConcave(Fault):
    caught_by = POINTS

    def blended(self, problem: Problem, c: Floats) -> Floats:
        return -problem.shapes.feasible(-c)


class RunningMaximumAlone(Fault):
    """In order, but not the nearest."""

    caught_by = POINTS

    def blended(self, problem: Problem, c: Floats) -> Floats:
        points = super().blended(problem, c)
        for i, (monotone, convex) in enumerate(zip(*problem.shapes, strict=True)):
            if monotone and not convex:
                points[i] = monotone * np.maximum.accumulate(monotone * c[i], axis=0)
        return points


class GradientOfFreePointsIsThatOfFeasibleOnes(Fault):
    caught_by = "monotone_and_convex::TestFeasible::test_gradient"

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        return super().feasible(problem, control_points, grad)[0], grad


class ShapesAreLostByRefine(Fault):
    caught_by = "monotone_and_convex::TestFeasible::test_refined"

    def shaped(self, problem: Problem, control_points: Floats) -> Floats:
        return control_points
