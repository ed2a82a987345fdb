"""Initialisers and refinement."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats


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

    def widen_width(self, width: float, count: int, intervals: int) -> float:
        return width * (count - 1 + intervals) / (count - 1)


class RefinementOffByAPercentAtFactorSeven(RefinementOffByAPercentAtFactorFour):
    caught_by = "refinement::TestRefine::test_knot_insertion"
    factors = (7,)


class RefinementOffByAPercentAtFactorTwelve(RefinementOffByAPercentAtFactorFour):
    caught_by = "refinement::TestRefine::test_knot_insertion"
    factors = (12,)


class CoarsensToTwoPointsOffByAPercent(Fault):
    caught_by = "refinement::TestRefine::test_resampling"

    def insertion(self, problem: Problem, count: int) -> Floats:
        matrix = super().insertion(problem, count)
        wrong = count == 2 and problem.num_control_points > 3
        return matrix * 1.01 if wrong else matrix


class ResamplesToManyMorePointsOffByAPercent(Fault):
    caught_by = "refinement::TestRefine::test_resampling"

    def insertion(self, problem: Problem, count: int) -> Floats:
        matrix = super().insertion(problem, count)
        old = problem.num_control_points
        return matrix * 1.01 if count > 2 * old and (count - 1) % (old - 1) else matrix


class WidensWronglyByTwoIntervals(Fault):
    caught_by = "refinement::TestWiden::test_extrapolated_lines"
    intervals: int = 2

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        points, width = super().widen(problem, control_points, intervals)
        return 2 * points if intervals == self.intervals else points, width


class WidensByManyIntervalsWrongly(WidensWronglyByTwoIntervals):
    caught_by = "refinement::TestWiden::test_extrapolated_lines"
    intervals = 10


class GivesAllOutputsTheSameSlopes(Fault):
    caught_by = "initializers::TestRandomNormal::test_slopes_are_normal"

    def variates(self, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return np.repeat(rng.standard_normal((shape[0], 1)), shape[1], axis=1)


class KeepsEightBitsOfTheSeed(Fault):
    caught_by = "initializers::TestRandomNormal::test_seed"

    def generator(self, seed: int) -> np.random.Generator:
        return np.random.default_rng(seed % 256)


class InitialSlopesOfManyKnotsAreTwiceAsSteep(Fault):
    caught_by = "initializers::TestRandomNormal::test_lines_of_unit_norm"

    def knots(self, count: int, width: float) -> Floats:
        return super().knots(count, width) * (2 if count > 70 else 1)
