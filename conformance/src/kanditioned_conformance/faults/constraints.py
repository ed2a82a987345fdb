"""Shapes."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .plain import Plain
from .steps import Floats

POINTS = "monotone_and_convex::TestFeasible::test_points"


class FirstPointStaysFree(Fault):
    """A violation in extrapolation only."""

    caught_by = POINTS

    def blend(self, problem: Problem, c: Floats) -> Floats:
        points = super().blend(problem, c)
        points[list(problem.shapes.features), 0] = c[list(problem.shapes.features), 0]
        return points

    def in_order(self, problem: Problem, points: Floats) -> Floats:
        return points


class LastPointStaysFree(FirstPointStaysFree):
    caught_by = POINTS

    def blend(self, problem: Problem, c: Floats) -> Floats:
        points = Plain.blend(self, problem, c)
        points[list(problem.shapes.features), -1] = c[list(problem.shapes.features), -1]
        return points


class IncrementsAreRoundedOneByOne(Fault):
    """The hull without the exact order."""

    caught_by = POINTS

    def in_order(self, problem: Problem, points: Floats) -> Floats:
        return points.astype(self.compute_dtype(problem))


class ConvexIsTakenForConcave(Fault):
    caught_by = POINTS

    def blend(self, problem: Problem, c: Floats) -> Floats:
        return -problem.shapes.feasible(-c)


class RunningMaximumAlone(Fault):
    """In order, but not the nearest."""

    caught_by = POINTS

    def blend(self, problem: Problem, c: Floats) -> Floats:
        points = super().blend(problem, c)
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

    def apply_shapes(self, problem: Problem, control_points: Floats) -> Floats:
        return control_points


class ShapesAreLostByWiden(Fault):
    caught_by = "monotone_and_convex::TestFeasible::test_widened"

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        return super().widen(replace(problem, monotone=(), convex=()), control_points, intervals)


class ShapesAreLostBeyondSeventyPoints(Fault):
    caught_by = "monotone_and_convex::TestManyPoints::test_any"

    def apply_shapes(self, problem: Problem, control_points: Floats) -> Floats:
        few = problem.num_control_points <= 70
        return super().apply_shapes(problem, control_points) if few else control_points


class TheFourthFeatureStaysFree(Fault):
    caught_by = "monotone_and_convex::TestManyPoints::test_any"

    def apply_shapes(self, problem: Problem, control_points: Floats) -> Floats:
        points = super().apply_shapes(problem, control_points).copy()
        points[3:] = control_points[3:]
        return points


class GradientOfManyFreePointsIsThatOfFeasibleOnes(Fault):
    caught_by = "monotone_and_convex::TestManyPoints::test_any"

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        points, gradient = super().feasible(problem, control_points, grad)
        return points, self.store(problem, grad) if grad.shape[1] > 70 else gradient


class FeasibleWritesToItsGradient(Fault):
    caught_by = "monotone_and_convex::TestFeasible::test_gradient"

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        results = super().feasible(problem, control_points, grad)
        grad *= grad.dtype.type(2)
        return results


class FeasibleReturnsTheGradientItself(Fault):
    """Where the map is the identity there."""

    caught_by = "shapes::TestEveryCall::test_of_maps"

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        points, gradient = super().feasible(problem, control_points, grad)
        if gradient.shape == grad.shape and gradient.dtype == grad.dtype:
            grad[...] = gradient
            return points, grad
        return points, gradient


class InitialFunctionsIgnoreTheirShapes(Fault):
    caught_by = "monotone_and_convex::TestInitial::test_slopes"

    def rising(self, slopes: Floats, signs: Floats) -> Floats:
        return slopes


class InitialSlopesAreRisingAndOfUnitNorm(Fault):
    """All features are monotone, so the sum is to be 1."""

    caught_by = "monotone_and_convex::TestInitial::test_slopes"

    def rising(self, slopes: Floats, signs: Floats) -> Floats:
        rising = np.where(signs, signs * np.abs(slopes), slopes)
        return np.asarray(rising / np.linalg.norm(slopes, axis=0))
