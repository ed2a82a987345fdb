"""Shapes, strides, ownership and determinism."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from kanditioned_spec import Problem

from .base import Fault
from .plain import Floats, Indices


class RefusesAnEmptyBatch(Fault):
    caught_by = "empty_batch::TestEmptyBatch::test_results_are_empty"
    raises = ValueError

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if problem.batch == 0:
            raise ValueError("the batch is empty")
        return super().forward(problem, x, control_points)


class ReadsMemoryInStorageOrder(Fault):
    caught_by = "shapes::TestStrides::test_any_layout"

    def taken(self, problem: Problem, *arrays: Floats) -> tuple[Floats, ...]:
        taken = super().taken(problem, *arrays)
        return tuple(array.ravel(order="K").reshape(array.shape) for array in taken)


class ReshapesFeatureMajorInsteadOfTransposing(Fault):
    caught_by = "shapes::TestFeatureMajor::test_values_and_gradients"

    def turned(self, array: Floats) -> Floats:
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
