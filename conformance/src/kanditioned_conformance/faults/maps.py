"""Parameterizations and the penalty."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.parameterizations import DCT

from ..cases import map_of
from .base import Fault
from .plain import Plain
from .steps import Floats

LAYER = "parameterizations::TestLayer::test_end_to_end"


class TransposesTheMap(Fault):
    caught_by = "parameterizations::TestMatrix::test_control_points"

    def matrix(self, problem: Problem) -> Floats:
        matrix = super().matrix(problem)
        return matrix.T if matrix.shape[0] == matrix.shape[1] else matrix


class ForgetsTheScaleOfTheMap(Fault):
    caught_by = "parameterizations::TestMatrix::test_transpose"

    def matrix(self, problem: Problem) -> Floats:
        scale = self.compute_dtype(problem)(map_of(problem).scale)
        return np.asarray(super().matrix(problem) / scale)


class TransposeWithAnotherScale(Fault):
    caught_by = "parameterizations::TestTranspose::test_products"

    def control_points_transpose(self, problem: Problem, grad: Floats) -> Floats:
        result = super().control_points_transpose(problem, grad)
        return result / result.dtype.type(map_of(problem).scale)


class DctWithoutTheCorrection(Fault):
    caught_by = "parameterizations::TestMatrix::test_control_points"
    transform = "matmul"

    def matrix(self, problem: Problem) -> Floats:
        if dict(problem.options).get("transform") != self.transform:
            return super().matrix(problem)
        spec = DCT(problem.num_control_points)
        spec.correction = 0.0
        return np.asarray(spec.matrix(), dtype=self.compute_dtype(problem))


class FftWithoutTheCorrection(DctWithoutTheCorrection):
    caught_by = "parameterizations::TestTranspose::test_products"
    transform = "fft"


class MapInsteadOfItsTranspose(Fault):
    caught_by = "parameterizations::TestMatrix::test_transpose"

    def control_points_transpose(self, problem: Problem, grad: Floats) -> Floats:
        matrix = self.matrix(problem)
        if matrix.shape[0] != matrix.shape[1]:
            return super().control_points_transpose(problem, grad)
        return super().control_points(problem, grad)


class ScalesParallelScanLikeTheOthers(Fault):
    caught_by = "parameterizations::TestConditions::test_singular_values"

    def matrix(self, problem: Problem) -> Floats:
        matrix = super().matrix(problem)
        if problem.parameterization != "parallel_scan":
            return matrix
        return np.asarray(matrix * np.sqrt(len(matrix)) / np.linalg.norm(matrix), matrix.dtype)


class InverseWithoutTheScale(Fault):
    caught_by = "parameterizations::TestInverse::test_parameters_from"

    def parameters_from(self, problem: Problem, control_points: Floats) -> Floats:
        theta = super().parameters_from(problem, control_points)
        return np.asarray(theta * map_of(problem).scale, theta.dtype)


class TransposeInsteadOfTheInverse(Fault):
    caught_by = "parameterizations::TestInverse::test_parameters_from"

    def parameters_from(self, problem: Problem, control_points: Floats) -> Floats:
        return self.control_points_transpose(problem, control_points)


class PenaltyOfFirstDifferences(Fault):
    caught_by = "penalty::TestPenalty::test_from_parameters"

    def bend(self, problem: Problem, theta: Floats) -> Floats:
        return np.diff(self.matrix(problem) @ theta, n=1, axis=1)


class PenaltyMissesItsLastTerm(Fault):
    caught_by = "penalty::TestPenalty::test_from_parameters"

    def bend(self, problem: Problem, theta: Floats) -> Floats:
        return super().bend(problem, theta)[:, :-1]


class PenaltyFromScannedControlPoints(Fault):
    caught_by = "penalty::TestPenalty::test_from_parameters"

    def bend(self, problem: Problem, theta: Floats) -> Floats:
        return np.diff(self.matrix(problem) @ theta, n=2, axis=1)


class PenaltySumsInADifferentOrderEachTime(Fault):
    caught_by = "determinism::TestMaps::test_same_bits"
    turn: int = 1

    def penalty(self, problem: Problem, theta: Floats) -> float:
        self.turn = -self.turn
        (theta,) = self.take(problem, theta)
        squares = self.bend(problem, theta).ravel() ** 2
        return float(squares[:: self.turn].cumsum()[-1:].sum())


class MapOfManyPointsOffByAPercent(Fault):
    caught_by = "parameterizations::TestTranspose::test_of_many_points"

    def matrix(self, problem: Problem) -> Floats:
        matrix = super().matrix(problem)
        wrong = problem.num_control_points > 70
        return matrix * matrix.dtype.type(1.01) if wrong else matrix


class InverseOfManyPointsChangesItsSign(Fault):
    caught_by = "parameterizations::TestInverse::test_of_many_points"

    def parameters_from(self, problem: Problem, control_points: Floats) -> Floats:
        theta = super().parameters_from(problem, control_points)
        return -theta if problem.num_control_points > 70 else theta


class PenaltyOfManyPointsIsHalved(Fault):
    caught_by = "penalty::TestPenalty::test_of_many_points"

    def penalty(self, problem: Problem, theta: Floats) -> float:
        half = 0.5 if problem.num_control_points > 70 else 1.0
        return half * super().penalty(problem, theta)


class PenaltyWeighsTheLastOutputTwice(Fault):
    caught_by = "penalty::TestPenalty::test_from_parameters"

    def penalty(self, problem: Problem, theta: Floats) -> float:
        theta = theta.copy()
        theta[..., -1] *= theta.dtype.type(2)
        return super().penalty(problem, theta)


class _Increments(Plain):
    """The parameters are the first control point and the increments after it."""

    def parameter_matrix(self, problem: Problem) -> Floats:
        if problem.parameterization != "bspline":
            return super().parameter_matrix(problem)
        return np.tri(problem.num_control_points)


class GradientOfIncrementsWithoutTheSum(_Increments, Fault):
    caught_by = LAYER

    def grad_parameters(self, problem: Problem, gc: Floats) -> Floats:
        own = problem.parameterization == "bspline"
        return gc if own else super().grad_parameters(problem, gc)


class GradientOfIncrementsSummedFromTheFirst(_Increments, Fault):
    caught_by = LAYER

    def grad_parameters(self, problem: Problem, gc: Floats) -> Floats:
        own = problem.parameterization == "bspline"
        return np.cumsum(gc, axis=1) if own else super().grad_parameters(problem, gc)


class GradientOfIncrementsWithoutTheFirst(_Increments, Fault):
    caught_by = LAYER

    def grad_parameters(self, problem: Problem, gc: Floats) -> Floats:
        gradient = super().grad_parameters(problem, gc)
        if problem.parameterization == "bspline":
            gradient[:, 0] = gc[:, 0]
        return gradient


class ParametersHaveTheGradientOfControlPoints(Fault):
    """If there are as many."""

    caught_by = LAYER

    def grad_parameters(self, problem: Problem, gc: Floats) -> Floats:
        gradient = super().grad_parameters(problem, gc)
        return gc if gradient.shape == gc.shape else gradient


class DetachesTheParameters(Fault):
    caught_by = LAYER

    def grad_parameters(self, problem: Problem, gc: Floats) -> Floats:
        return 0 * super().grad_parameters(problem, gc)


class HasFewerParametersThanControlPoints(Fault):
    caught_by = LAYER

    def parameter_matrix(self, problem: Problem) -> Floats:
        return super().parameter_matrix(problem)[:, 1:]


class TakesEveryWidthForFour(Fault):
    caught_by = "parameterizations::TestMatrix::test_control_points"

    def matrix(self, problem: Problem) -> Floats:
        options = tuple((k, 4.0 if k == "spline_width" else v) for k, v in problem.options)
        return super().matrix(replace(problem, options=options))


class DoublesDegreesBetween(Fault):
    """Neither the lowest nor all."""

    caught_by = LAYER

    def matrix(self, problem: Problem) -> Floats:
        matrix = super().matrix(problem)
        return 2 * matrix if dict(problem.options).get("degree", 1) > 1 else matrix
