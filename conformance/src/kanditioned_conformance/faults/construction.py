"""Initialisers, refinement, refused arguments."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from typing import Any

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .plain import Floats


class IdentityInKnotUnits(Fault):
    caught_by = "initializers::TestIdentity::test_knots_on_the_diagonal"

    def knots(self, count: int, width: float) -> Floats:
        return np.arange(count) - (count - 1) / 2


class KnotsWithoutTheLastOne(Fault):
    caught_by = "initializers::TestIdentity::test_knots_on_the_diagonal"

    def knots(self, count: int, width: float) -> Floats:
        return np.linspace(-width / 2, width / 2, count, endpoint=False)


class RandomSlopesWithoutUnitNorm(Fault):
    caught_by = "initializers::TestRandomNormal::test_lines_of_unit_norm"

    def slopes(self, init: str, inputs: int, outputs: int, rng: np.random.Generator) -> Floats:
        if init != "random_normal":
            return super().slopes(init, inputs, outputs, rng)
        return rng.standard_normal((inputs, outputs))


class SlopesOfUnitNormPerInput(Fault):
    caught_by = "initializers::TestRandomNormal::test_lines_of_unit_norm"

    def slopes(self, init: str, inputs: int, outputs: int, rng: np.random.Generator) -> Floats:
        return super().slopes(init, outputs, inputs, rng).T


class UniformSlopesInsteadOfNormal(Fault):
    caught_by = "initializers::TestRandomNormal::test_slopes_are_normal"

    def variates(self, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return rng.uniform(-1, 1, shape)


class RandomControlPointsInsteadOfLines(Fault):
    caught_by = "initializers::TestRandomNormal::test_lines_of_unit_norm"

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> Floats:
        c = super().initial_control_points(problem, init, seed)
        return np.asarray(c[:, ::-1] if init == "zero" else np.sort(c**3, axis=1))


class IgnoresTheSeed(Fault):
    caught_by = "initializers::TestRandomNormal::test_seed"

    def generator(self, seed: int) -> np.random.Generator:
        return np.random.default_rng()


class GivesEveryLayerOneSeed(Fault):
    caught_by = "initializers::TestRandomNormal::test_seed"

    def generator(self, seed: int) -> np.random.Generator:
        return np.random.default_rng(0)


class ReseedsTheGlobalGenerator(Fault):
    caught_by = "initializers::TestRandomNormal::test_seed"

    def generator(self, seed: int) -> np.random.Generator:
        np.random.seed(seed)  # noqa: NPY002 - the fault
        return super().generator(seed)


class RefinementThatShifts(Fault):
    caught_by = "refinement::TestRefine::test_knot_insertion"

    def insertion(self, problem: Problem, count: int) -> Floats:
        centred = (np.arange(count) + 0.5) / count * problem.num_control_points - 0.5
        rows = np.eye(problem.num_control_points)
        old = np.arange(problem.num_control_points)
        return np.stack([np.interp(centred, old, row) for row in rows], axis=1)


class RefinementToTheNearestKnot(Fault):
    caught_by = "refinement::TestRefine::test_knot_insertion"

    def insertion(self, problem: Problem, count: int) -> Floats:
        return np.round(super().insertion(problem, count))


class RefinementOffByAPercentAtFactorFour(Fault):
    caught_by = "refinement::TestRefine::test_knot_insertion"
    factors: tuple[int, ...] = (4,)

    def insertion(self, problem: Problem, count: int) -> Floats:
        factor = (count - 1) / (problem.num_control_points - 1)
        return super().insertion(problem, count) * (1.01 if factor in self.factors else 1.0)


class RefinementOffByAPercentAtFactorFive(RefinementOffByAPercentAtFactorFour):
    caught_by = "refinement::TestRefine::test_knot_insertion"
    factors = (5,)


class RefinementOffByAPercentBeyondFifty(RefinementOffByAPercentAtFactorFour):
    caught_by = "refinement::TestRefine::test_knot_insertion"
    factors = tuple(range(50, 1000))


class CoarsensToTheNearestKnot(Fault):
    caught_by = "refinement::TestRefine::test_resampling"

    def insertion(self, problem: Problem, count: int) -> Floats:
        matrix = super().insertion(problem, count)
        return np.round(matrix) if count < problem.num_control_points else matrix


class CoarsensWithoutAWarning(Fault):
    caught_by = "refinement::TestRefine::test_resampling"

    def warn_of_resampling(self, old: int, new: int) -> None:
        if new > old:
            super().warn_of_resampling(old, new)


class CannotCoarsen(Fault):
    caught_by = "refinement::TestRefine::test_resampling"
    raises = ValueError

    def insertion(self, problem: Problem, count: int) -> Floats:
        if count < problem.num_control_points:
            raise ValueError("there are fewer control points")
        return super().insertion(problem, count)


class ResamplesWithoutAWarning(Fault):
    caught_by = "refinement::TestRefine::test_resampling"

    def warn_of_resampling(self, old: int, new: int) -> None:
        """Say nothing."""


class WidensWithoutExtrapolating(Fault):
    caught_by = "refinement::TestWiden::test_extrapolated_lines"

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        _, width = super().widen(problem, control_points, intervals)
        pad = [(0, 0), (intervals, intervals), (0, 0)]
        return np.pad(control_points, pad, mode="edge"), width


class WidensOnOneSideOnly(Fault):
    caught_by = "refinement::TestWiden::test_extrapolated_lines"

    def widened(self, width: float, count: int, intervals: int) -> float:
        return width * (count - 1 + intervals) / (count - 1)


class AcceptsASingleControlPoint(Fault):
    caught_by = "errors::TestMessages::test_bad_arguments"

    def layer(self, **arguments: Any) -> object:
        if arguments.get("num_control_points") == 1:
            arguments["num_control_points"] = 2
        return super().layer(**arguments)


class RefusesWithoutSayingWhatToDo(Fault):
    caught_by = "errors::TestMessages::test_bad_arguments"

    def layer(self, **arguments: Any) -> object:
        try:
            return super().layer(**arguments)
        except ValueError as error:
            raise ValueError(str(error).partition(". ")[0]) from error


class CallsAWrongTypeAWrongValue(Fault):
    caught_by = "errors::TestMessages::test_bad_arguments"

    def layer(self, **arguments: Any) -> object:
        try:
            return super().layer(**arguments)
        except TypeError as error:
            raise ValueError(str(error)) from error


class RefusesAnIntegerWidth(Fault):
    caught_by = "errors::TestMessages::test_good_arguments"
    raises = TypeError

    def layer(self, **arguments: Any) -> object:
        if not isinstance(arguments.get("spline_width", 4.0), float):
            raise TypeError("spline_width must be a float")
        return super().layer(**arguments)
