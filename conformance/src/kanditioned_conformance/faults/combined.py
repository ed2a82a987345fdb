"""Right but where two things meet: two sizes, two layouts, two features with maps or shapes."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kanditioned_spec import InputMap, Problem

from .base import Fault
from .plain import Plain
from .steps import Floats

SIZES = "shapes::TestCombinedSizes::test_any"
LAYOUT = "shapes::TestStrides::test_any_layout"


class _WrongValues(Plain):
    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        raise NotImplementedError

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return np.asarray(-y if self.is_met(problem, x, control_points) else y)


class WrongForOneRowOfSeveralFeatures(_WrongValues, Fault):
    caught_by = SIZES

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.batch == 1 and problem.in_features > 1


class WrongForOneIntervalOfSeveralFeatures(_WrongValues, Fault):
    caught_by = SIZES

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.num_control_points == 2 and problem.in_features > 1


class WrongForManyKnotsOfManyFeatures(_WrongValues, Fault):
    caught_by = SIZES

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.num_control_points > 64 and problem.in_features > 8


class WrongForStridedInputsWithContiguousWeights(_WrongValues, Fault):
    caught_by = LAYOUT

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return control_points.flags.c_contiguous and not x.flags.c_contiguous


class WrongForNegativeStrides(_WrongValues, Fault):
    caught_by = LAYOUT

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return min(x.strides) < 0


class WrongForRepeatedRows(_WrongValues, Fault):
    caught_by = LAYOUT

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return 0 in x.strides


class WrongForOneRowOfManyFeatures(_WrongValues, Fault):
    caught_by = SIZES

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.batch == 1 and min(problem.in_features, problem.out_features) > 8


class WrongForWholeBlocksOfRows(_WrongValues, Fault):
    """Nothing is left over for the last block, which is dropped."""

    caught_by = SIZES
    rows: int = 128

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.batch > 0 and problem.batch % self.rows == 0


class WrongForWholeBlocksOfManyRows(WrongForWholeBlocksOfRows):
    caught_by = SIZES
    rows = 512


class WrongForWholeVectorsOfOutputs(_WrongValues, Fault):
    caught_by = SIZES

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.out_features % 8 == 0


class WrongForWholeVectorsOfInputs(_WrongValues, Fault):
    caught_by = SIZES

    def is_met(self, problem: Problem, x: Floats, control_points: Floats) -> bool:
        return problem.in_features % 8 == 0


class SecondDerivativesOfWholeTiles(Fault):
    caught_by = SIZES

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        by_x, by_c, by_gy = super().vjp_of_vjp(problem, *arrays)
        whole = problem.in_features % 16 == problem.out_features % 16 == 0
        return by_x, -by_c if whole else by_c, by_gy


class RefinesToItsOwnArgument(Fault):
    caught_by = "refinement::TestRefine::test_knot_insertion"

    def refine(self, problem: Problem, control_points: Floats, num_control_points: int) -> Floats:
        if num_control_points == problem.num_control_points:
            return control_points
        return super().refine(problem, control_points, num_control_points)


class TakesTheShapeOfTheFirstFeatureForAll(Fault):
    caught_by = "monotone_and_convex::TestFeasible::test_points"

    def apply_shapes(self, problem: Problem, control_points: Floats) -> Floats:
        monotone, convex = (
            signs and (signs[0],) * len(signs) for signs in (problem.monotone, problem.convex)
        )
        return super().apply_shapes(
            replace(problem, monotone=monotone, convex=convex), control_points
        )


class TakesTheSlopesOfTheFirstFeatureForAll(Fault):
    caught_by = "input_maps::TestMap::test_slopes"

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        first = InputMap(input_map.breakpoints[:1], input_map.images[:1])
        return np.asarray(np.concatenate([first.slope(c[:, None]) for c in x.T], axis=1))


class TransposesTheWeightsOfAsManyInputsAsKnots(Fault):
    caught_by = SIZES
    axes: tuple[int, int] = (0, 1)

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        return super().forward(problem, x, _turned_if_equal(control_points, *self.axes))


class TransposesTheWeightsOfAsManyOutputsAsKnots(TransposesTheWeightsOfAsManyInputsAsKnots):
    caught_by = SIZES
    axes = (2, 1)


class MapsAlongInputsIfTheyAreAsManyAsKnots(Fault):
    caught_by = "parameterizations::TestMatrix::test_control_points"

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        turned = super().control_points(problem, _turned_if_equal(theta, 0, 1))
        return _turned_if_equal(turned, 0, 1)


class PenalizesAlongInputsIfTheyAreAsManyAsKnots(Fault):
    caught_by = "penalty::TestPenalty::test_from_parameters"

    def penalty(self, problem: Problem, theta: Floats) -> float:
        return super().penalty(problem, _turned_if_equal(theta, 0, 1))


class RefinesAlongInputsIfTheyAreAsManyAsKnots(Fault):
    caught_by = "refinement::TestRefine::test_knot_insertion"

    def refine(self, problem: Problem, control_points: Floats, num_control_points: int) -> Floats:
        return super().refine(problem, _turned_if_equal(control_points, 0, 1), num_control_points)


class WidensAlongInputsIfTheyAreAsManyAsKnots(Fault):
    caught_by = "refinement::TestWiden::test_extrapolated_lines"

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        return super().widen(problem, _turned_if_equal(control_points, 0, 1), intervals)


class ShapesAlongInputsIfTheyAreAsManyAsKnots(Fault):
    caught_by = "monotone_and_convex::TestFeasible::test_points"

    def apply_shapes(self, problem: Problem, control_points: Floats) -> Floats:
        return super().apply_shapes(problem, _turned_if_equal(control_points, 0, 1))


def _turned_if_equal(array: Floats, one: int, other: int) -> Floats:
    same = array.shape[one] == array.shape[other]
    return array.swapaxes(one, other) if same else array
