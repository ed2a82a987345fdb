"""The feature-major variant alone is wrong, for one kind of size or input."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .plain import Plain
from .steps import Floats, keep

VALUES = "shapes::TestFeatureMajor::test_values_and_gradients"


class _Wrong(Plain):
    """Spoils one result where a condition is met: the value, unless `which` says otherwise."""

    which: int = 0

    def is_met(self, problem: Problem, x: Floats) -> Any:
        raise NotImplementedError

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        results = list(super().feature_major(problem, *arrays))
        if self.is_met(problem, arrays[0]):
            results[self.which] = self.spoilt(results[self.which])
        return results[0], results[1], results[2]

    def spoilt(self, result: Floats) -> Floats:
        return -result


class FeatureMajorIsWrongForManyKnots(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return problem.num_control_points > 64


class FeatureMajorGradientIsWrongForManyKnots(FeatureMajorIsWrongForManyKnots):
    caught_by = VALUES
    which = 2


class FeatureMajorIsWrongForOneInterval(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return problem.num_control_points == 2


class FeatureMajorIsWrongForOneRow(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return problem.batch == 1


class FeatureMajorSlopeIsWrongForOneRow(FeatureMajorIsWrongForOneRow):
    caught_by = VALUES
    which = 1


class FeatureMajorIsWrongForALongBatch(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return problem.batch > 256


class FeatureMajorIsWrongForOneFeature(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return problem.in_features == 1


class FeatureMajorIsWrongForManyOutputs(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return problem.out_features > 128


class FeatureMajorHidesNaN(_Wrong, Fault):
    caught_by = VALUES

    def is_met(self, problem: Problem, x: Floats) -> Any:
        return np.isnan(x).any()

    def spoilt(self, result: Floats) -> Floats:
        return np.nan_to_num(result)


class FeatureMajorNaNHasASlope(FeatureMajorHidesNaN):
    caught_by = VALUES
    which = 1


class FeatureMajorNaNReachesOtherRows(FeatureMajorHidesNaN):
    caught_by = VALUES

    def spoilt(self, result: Floats) -> Floats:
        return np.full_like(result, np.nan)


class FeatureMajorKnotsBelongToTheLeft(Fault):
    caught_by = VALUES

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy = arrays
        y, _, gc = super().feature_major(problem, x, c, gy)
        _, gx, _ = super().feature_major(problem, np.nextafter(x, x.dtype.type(-np.inf)), c, gy)
        return y, gx, gc


class FeatureMajorEndsOutside(Fault):
    caught_by = VALUES

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy = arrays
        most = x.dtype.type(2 * problem.spline_width)
        return super().feature_major(problem, x.clip(-most, most), c, gy)


class FeatureMajorReturnsItsWorkspace(Fault):
    caught_by = "shapes::TestOwnership::test_results_of_layers"

    def __init__(self) -> None:
        self.workspaces: dict[Any, tuple[Floats, Floats, Floats]] = {}

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        results = super().feature_major(problem, *arrays)
        return keep(self.workspaces, tuple(result.shape for result in results), results)


class FeatureMajorReturnsFloat32ForFloat16(Fault):
    caught_by = "dtypes::TestResults::test_of_layers"
    dtype = "float16"

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        return super().feature_major(dataclasses.replace(problem, dtype="float32"), *arrays)


class FeatureMajorAddsInADifferentOrderEachTime(Fault):
    caught_by = "determinism::TestLayer::test_same_bits"
    turn: int = 1

    def feature_major(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy = arrays
        self.turn = -self.turn
        step = slice(None, None, self.turn)
        y, gx, gc = super().feature_major(problem, x[:, step], c, gy[:, step])
        return y[:, step], gx[:, step], gc
