"""Right for arrays as they usually lie in memory: not for others, or for other ranks."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from typing import Any

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .plain import Plain
from .steps import Floats, as_it_lies

LAYOUT = "shapes::TestStrides::test_any_layout"
LEADING = "shapes::TestLeadingShape::test_any_strides"
OF_PARAMETERS = "shapes::TestStridesOfParameters::test_any_layout"
OF_FREE_POINTS = "monotone_and_convex::TestStrides::test_any"


class _WrongValues(Plain):
    def is_met(self, x: Floats, control_points: Floats) -> bool:
        raise NotImplementedError

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return np.asarray(-y if self.is_met(x, control_points) else y)


class WrongForPaddedRows(_WrongValues, Fault):
    caught_by = LAYOUT

    def is_met(self, x: Floats, control_points: Floats) -> bool:
        return x.strides[1] == x.itemsize and x.strides[0] > x.itemsize * x.shape[1]


class WrongForOneFunctionOnAllEdges(_WrongValues, Fault):
    caught_by = LAYOUT

    def is_met(self, x: Floats, control_points: Floats) -> bool:
        return 0 in control_points.strides


class RefusesReadOnlyInputs(Fault):
    caught_by = LAYOUT
    raises = ValueError

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if not x.flags.writeable:
            raise ValueError("assignment destination is read-only")
        return super().forward(problem, x, control_points)


class WrongForTheGradientOfASum(Fault):
    caught_by = LAYOUT

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        return gx, -gc if set(arrays[2].strides) == {0} else gc


class WrongForStridesOfThreeDimensions(_WrongValues, Fault):
    caught_by = LEADING

    def is_met(self, x: Floats, control_points: Floats) -> bool:
        return x.ndim == 3 and not x.flags.c_contiguous


class WrongForSwappedLeadingDimensions(_WrongValues, Fault):
    caught_by = LEADING

    def is_met(self, x: Floats, control_points: Floats) -> bool:
        return x.ndim == 3 and x.strides[1] > x.strides[0] > x.strides[2] > 0


class ReadsThreeDimensionsInStorageOrder(Fault):
    caught_by = LEADING

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if x.ndim > 2:
            x = as_it_lies(x)
        return super().forward(problem, x, control_points)


class SlopesAreWrongForStridesOfThreeDimensions(Fault):
    caught_by = LEADING

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        x, _, gy = arrays
        gx, gc = super().vjp(problem, *arrays)
        is_met = x.ndim == 3 and not (x.flags.c_contiguous and gy.flags.c_contiguous)
        return -gx if is_met else gx, gc


class WrongForFiveDimensions(_WrongValues, Fault):
    caught_by = "shapes::TestLeadingShape::test_rows_keep_their_places"

    def is_met(self, x: Floats, control_points: Floats) -> bool:
        return x.ndim > 4


class TransposeReadsMemory(Fault):
    caught_by = OF_PARAMETERS

    def control_points_transpose(self, problem: Problem, grad: Floats) -> Floats:
        return super().control_points_transpose(problem, as_it_lies(grad))


class InverseReadsMemory(Fault):
    caught_by = OF_PARAMETERS

    def parameters_from(self, problem: Problem, control_points: Floats) -> Floats:
        return super().parameters_from(problem, as_it_lies(control_points))


class PenaltyReadsMemory(Fault):
    caught_by = OF_PARAMETERS

    def penalty(self, problem: Problem, theta: Floats) -> float:
        return super().penalty(problem, as_it_lies(theta))


class RefineReadsMemory(Fault):
    caught_by = OF_PARAMETERS

    def refine(self, problem: Problem, control_points: Floats, num_control_points: int) -> Floats:
        return super().refine(problem, as_it_lies(control_points), num_control_points)


class WidenReadsMemory(Fault):
    caught_by = OF_PARAMETERS

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        return super().widen(problem, as_it_lies(control_points), intervals)


class SaveReadsMemory(Fault):
    caught_by = OF_PARAMETERS

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, as_it_lies(theta), path)


class FeasibleReadsMemory(Fault):
    caught_by = OF_FREE_POINTS

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        return super().feasible(problem, as_it_lies(control_points), grad)


class FeasibleReadsMemoryOfItsGradient(Fault):
    caught_by = OF_FREE_POINTS

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        return super().feasible(problem, control_points, as_it_lies(grad))


class LayerReadsMemoryOfItsParameters(Fault):
    caught_by = "parameterizations::TestLayer::test_end_to_end"

    def vjp_of_layer(
        self, problem: Problem, x: Floats, theta: Floats, grad_y: Floats
    ) -> tuple[Floats, Floats, Floats]:
        return super().vjp_of_layer(problem, x, as_it_lies(theta), grad_y)
