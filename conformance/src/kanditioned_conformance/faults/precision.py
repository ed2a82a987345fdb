"""Positions, sums, NaN and infinities."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.rounding import rounded

from .base import Fault
from .plain import DTYPES, Floats, Indices, Plain


class PositionsInTheStorageDtype(Fault):
    caught_by = "dtypes::TestPositions::test_value"
    dtype = "bfloat16"

    def position(self, problem: Problem, x: Floats) -> Floats:
        return rounded(super().position(problem, x), problem.dtype).astype(x.dtype)


class PositionsOfTheGradientInHalfPrecision(PositionsInTheStorageDtype):
    caught_by = "dtypes::TestPositions::test_gradient_of_control_points"
    dtype = "float16"


class SumsOverFeaturesInHalfPrecision(Fault):
    caught_by = "dtypes::TestSums::test_value_over_features"
    dtype = "float16"

    def sum_dtype(self, problem: Problem) -> Any:
        return np.float16


class SumsOverTheBatchInHalfPrecision(SumsOverFeaturesInHalfPrecision):
    caught_by = "dtypes::TestSums::test_gradient_of_control_points_over_the_batch"


class SumsOverOutputsInHalfPrecision(Fault):
    caught_by = "dtypes::TestSums::test_gradient_of_inputs_over_outputs"
    dtype = "bfloat16"

    def sum_outputs(self, problem: Problem, terms: Floats) -> Floats:
        total = np.zeros(terms.shape[0], terms.dtype)
        for column in terms.T:
            total = rounded(total + column, problem.dtype)
        return total


class RoundsFactorsWithoutSayingSo(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        left, right, fraction = (rounded(v, "bfloat16") for v in (left, right, fraction))
        return super().value(left, right, fraction)


class RoundsInputsBesideDeclaredFactors(RoundsFactorsWithoutSayingSo):
    caught_by = "dtypes::TestPositions::test_value"
    info = dataclasses.replace(Plain.info, operands={"float32": "bfloat16"})

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(problem, rounded(x, "bfloat16").astype(x.dtype))


class ComputesFloat64InFloat32(Fault):
    caught_by = "values::TestValue::test_anywhere"
    dtype = "float64"

    def compute_dtype(self, problem: Problem) -> Any:
        return np.float32


class DeclaresHalfPrecisionSums(Fault):
    caught_by = "dtypes::TestSums::test_is_declared"
    dtype = "bfloat16"
    info = dataclasses.replace(Plain.info, accumulation=dict.fromkeys(DTYPES, "bfloat16"))


class NaNBecomesZero(Fault):
    caught_by = "non_finite::TestNaN::test_value"

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(problem, np.where(np.isnan(x), x.dtype.type(0), x))


class NaNHasASlope(Fault):
    caught_by = "non_finite::TestNaN::test_gradient_of_inputs"

    def slope(self, problem: Problem, c: Floats, interval: Indices, fraction: Floats) -> Floats:
        return np.asarray((c[interval + 1] - c[interval]) / self.spacing(problem))


class NaNSpoilsTheNextRow(Fault):
    caught_by = "non_finite::TestNaN::test_value"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        y[1:][np.isnan(x[:-1]).any(1)] = np.nan
        return y


class NaNSpoilsTheWholeGradient(Fault):
    caught_by = "non_finite::TestNaN::test_gradient_of_control_points"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        super().scatter(gc, knot, terms)
        gc += np.nan if np.isnan(terms).any() else 0


class WeighsInsteadOfInterpolating(Fault):
    caught_by = "non_finite::TestInfinity::test_value"

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        return (1 - fraction) * left + fraction * right
