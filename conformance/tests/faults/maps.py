"""Parameterizations and the penalty."""

from __future__ import annotations

import numpy as np

from kanditioned_conformance.cases import map_of
from kanditioned_spec import Problem
from kanditioned_spec.parameterizations import DCT

from ..plain import Floats
from .base import Fault


class TransposesTheMap(Fault):
    caught_by = "test_parameterizations.py::TestEntries::test_control_points"

    def matrix(self, problem: Problem) -> Floats:
        matrix = super().matrix(problem)
        return matrix.T if matrix.shape[0] == matrix.shape[1] else matrix


class ForgetsTheScaleOfTheMap(Fault):
    caught_by = "test_parameterizations.py::TestEntries::test_transpose"

    def matrix(self, problem: Problem) -> Floats:
        scale = self.compute_dtype(problem)(map_of(problem).scale)
        return np.asarray(super().matrix(problem) / scale)


class TransposeWithAnotherScale(Fault):
    caught_by = "test_parameterizations.py::TestProducts::test_products"

    def control_points_transpose(self, problem: Problem, grad: Floats) -> Floats:
        result = super().control_points_transpose(problem, grad)
        return result / result.dtype.type(map_of(problem).scale)


class DctWithoutTheCorrection(Fault):
    caught_by = "test_parameterizations.py::TestEntries::test_control_points"
    transform = "matmul"

    def matrix(self, problem: Problem) -> Floats:
        if dict(problem.options).get("transform") != self.transform:
            return super().matrix(problem)
        spec = DCT(problem.num_control_points)
        spec.correction = 0.0
        return np.asarray(spec.matrix(), dtype=self.compute_dtype(problem))


class FftWithoutTheCorrection(DctWithoutTheCorrection):
    caught_by = "test_parameterizations.py::TestProducts::test_products"
    transform = "fft"


class PenaltyMissesItsLastTerm(Fault):
    caught_by = "test_penalty.py::TestPenalty::test_from_parameters"

    def bend(self, problem: Problem, theta: Floats) -> Floats:
        return super().bend(problem, theta)[:, :-1]


class PenaltyFromScannedControlPoints(Fault):
    caught_by = "test_penalty.py::TestPenalty::test_from_parameters"

    def bend(self, problem: Problem, theta: Floats) -> Floats:
        return np.diff(self.matrix(problem) @ theta, n=2, axis=1)


class PenaltySumsInADifferentOrderEachTime(Fault):
    caught_by = "test_determinism.py::TestMaps::test_same_bits"
    turn: int = 1

    def penalty(self, problem: Problem, theta: Floats) -> float:
        self.turn = -self.turn
        (theta,) = self.taken(problem, theta)
        squares = self.bend(problem, theta).ravel() ** 2
        return float(squares[:: self.turn].cumsum()[-1:].sum())
