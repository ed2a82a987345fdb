"""Shapes, strides, ownership and determinism."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import Problem
from kanditioned_spec.rounding import round_to

from .base import Fault
from .plain import Plain
from .steps import Floats, Indices, as_it_lies


class RefusesAnEmptyBatch(Fault):
    caught_by = "empty_batch::TestEmptyBatch::test_results_are_empty"
    raises = ValueError

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if problem.batch == 0:
            raise ValueError("the batch is empty")
        return super().forward(problem, x, control_points)


class ReadsMemoryInStorageOrder(Fault):
    caught_by = "shapes::TestStrides::test_any_layout"

    def take(self, problem: Problem, *arrays: Floats) -> tuple[Floats, ...]:
        taken = super().take(problem, *arrays)
        return tuple(as_it_lies(array) for array in taken)


class ReshapesFeatureMajorInsteadOfTransposing(Fault):
    caught_by = "shapes::TestFeatureMajor::test_values_and_gradients"

    def transpose(self, array: Floats) -> Floats:
        return array.reshape(array.shape[::-1])


class LeavesTheFeatureMajorGradientBatchMajor(Fault):
    caught_by = "shapes::TestFeatureMajor::test_values_and_gradients"

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        y, gx, gc = super().feature_major(problem, *arrays)
        return y, gx.T, gc


class WritesToItsInput(Fault):
    caught_by = "shapes::TestOwnership::test_inputs_of_layers"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        x += x.dtype.type(1)
        return y


class WritesToItsParameters(Fault):
    caught_by = "shapes::TestOwnership::test_inputs_of_maps"

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        result = super().control_points(problem, theta)
        theta *= theta.dtype.type(2)
        return result


class AddsInADifferentOrderEachTime(Fault):
    caught_by = "determinism::TestLayer::test_same_bits"
    turn: int = 1

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        super().scatter(gc, knot[:: self.turn], terms[:: self.turn])

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        self.turn = -self.turn
        return super().vjp(problem, *arrays)


class ReturnsItsWorkspace(Fault):
    caught_by = "shapes::TestOwnership::test_results_of_layers"

    def __init__(self) -> None:
        self.workspaces: dict[Any, Floats] = {}

    def place(self, problem: Problem, array: Floats) -> Any:
        return array.shape, array.dtype

    def store(self, problem: Problem, array: Floats) -> Floats:
        rounded = super().store(problem, array)
        workspace = self.workspaces.setdefault(self.place(problem, rounded), rounded)
        view = workspace[: rounded.shape[0]]
        view[...] = rounded
        return view


class ReturnsTheWorkspaceOfItsMaps(ReturnsItsWorkspace):
    caught_by = "shapes::TestOwnership::test_results_of_maps"


class SharesAWorkspaceBetweenBatches(ReturnsItsWorkspace):
    """A smaller batch gets the first rows of a larger one's."""

    caught_by = "shapes::TestOwnership::test_results_of_layers"

    def place(self, problem: Problem, array: Floats) -> Any:
        return array.shape[1:], array.dtype

    def store(self, problem: Problem, array: Floats) -> Floats:
        known = self.workspaces.get(self.place(problem, array.astype(np.float32)))
        if array.ndim == 2 and known is not None and len(known) < len(array):
            return round_to(array, problem.dtype)
        return super().store(problem, array)


class TakesTurnsWithTwoWorkspaces(ReturnsItsWorkspace):
    turn: int = 0

    def place(self, problem: Problem, array: Floats) -> Any:
        self.turn += 1
        return array.shape, array.dtype, self.turn % 2

    caught_by = "shapes::TestOwnership::test_results_of_layers"


class ReturnsTheGradientOfTheLastCall(ReturnsItsWorkspace):
    caught_by = "shapes::TestOwnership::test_results_of_layers"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        return super().forward(problem, x, control_points).copy()


class ReturnsTheParametersThemselves(Fault):
    caught_by = "shapes::TestOwnership::test_results_of_maps"

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        if problem.parameterization == "bspline":
            return theta
        return super().control_points(problem, theta)


class GuessesTheLayoutFromTheShape(Fault):
    caught_by = "shapes::TestFeatureMajor::test_values_and_gradients"

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy = arrays
        if x.shape[1] != c.shape[0]:
            return super().feature_major(problem, x, c, gy)
        y, (gx, gc) = self.forward(problem, x, c), self.vjp(problem, x, c, gy.T)
        return self.transpose(y), self.transpose(gx), gc


class SkipsInPlaceOfAnAnswer(Fault):
    caught_by = "values::TestValue::test_in_a_long_batch"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if problem.batch > 1000:
            pytest.skip("the batch is long")
        return super().forward(problem, x, control_points)


class HasNoGradientThatItDeclares(Fault):
    caught_by = "gradients::TestControlPoints::test_anywhere"

    def vjp(self, problem: Problem, *arrays: Floats) -> Any:
        return super().vjp(problem, *arrays)[0], None


class DeclaresAnExtrapolationThatItHasNot(Fault):
    caught_by = "extrapolation::TestLines::test_value"
    info = dataclasses.replace(Plain.info, extrapolation="constant")


class DeclaresZeroAndIsConstant(Fault):
    caught_by = "extrapolation::TestLines::test_value"
    info = dataclasses.replace(Plain.info, extrapolation="zero")

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(problem, x).clip(0, problem.num_control_points - 1)


class HasASlopeWhereItIsConstant(DeclaresZeroAndIsConstant):
    caught_by = "extrapolation::TestLines::test_gradient_of_inputs"
    info = dataclasses.replace(Plain.info, extrapolation="constant")


class ReturnsAGradientAsFloat64(Fault):
    """Of numbers that float32 holds."""

    caught_by = "dtypes::TestResults::test_of_layers"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        return gx.astype(np.float64), gc


class ReturnsOneSecondDerivativeInFloat32(Fault):
    caught_by = "dtypes::TestResults::test_of_layers"
    dtype = "float16"

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        wide = dataclasses.replace(problem, dtype="float32")
        by_x, by_c, _ = super().vjp_of_vjp(problem, *arrays)
        return by_x, by_c, super().vjp_of_vjp(wide, *arrays)[2]


class WritesToTheIncomingGradient(Fault):
    caught_by = "shapes::TestOwnership::test_inputs_of_layers"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        results = super().vjp(problem, *arrays)
        arrays[2][...] *= arrays[2].dtype.type(2)
        return results
