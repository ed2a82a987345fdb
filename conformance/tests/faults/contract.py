"""Shapes, strides, ownership and determinism."""

from __future__ import annotations

from kanditioned_spec import Problem

from ..plain import Floats, Indices
from .base import Fault


class RefusesAnEmptyBatch(Fault):
    caught_by = "test_shapes.py::TestShapes::test_small"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if problem.batch == 0:
            raise ValueError("the batch is empty")
        return super().forward(problem, x, control_points)


class ReadsMemoryInStorageOrder(Fault):
    caught_by = "test_shapes.py::TestShapes::test_strides"

    def taken(self, problem: Problem, *arrays: Floats) -> tuple[Floats, ...]:
        taken = super().taken(problem, *arrays)
        return tuple(array.ravel(order="K").reshape(array.shape) for array in taken)


class WritesToItsInput(Fault):
    caught_by = "test_shapes.py::TestOwnership::test_inputs_are_untouched"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        x += x.dtype.type(1)
        return y


class AddsInADifferentOrderEachTime(Fault):
    caught_by = "test_determinism.py::TestLayer::test_same_bits"
    turn: int = 1

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        super().scatter(gc, knot[:: self.turn], terms[:: self.turn])

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        self.turn = -self.turn
        return super().vjp(problem, *arrays)
