"""Positions, sums, NaN and infinities."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.rounding import round_to

from .base import Fault
from .plain import DTYPES, Plain
from .steps import Floats, Indices


class PositionsInTheStorageDtype(Fault):
    caught_by = "dtypes::TestPositions::test_value"
    dtype = "bfloat16"

    def position(self, problem: Problem, x: Floats) -> Floats:
        return round_to(super().position(problem, x), problem.dtype).astype(x.dtype)


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
            total = round_to(total + column, problem.dtype)
        return total


class RoundsFactorsWithoutSayingSo(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        left, right, fraction = (round_to(v, "bfloat16") for v in (left, right, fraction))
        return super().value(left, right, fraction)


class RoundsInputsBesideDeclaredFactors(RoundsFactorsWithoutSayingSo):
    caught_by = "dtypes::TestPositions::test_value"
    info = dataclasses.replace(Plain.info, operands={"float32": "bfloat16"})

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(problem, round_to(x, "bfloat16").astype(x.dtype))


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


class NaNHidesInfinity(Fault):
    """In the same row: their sum is NaN."""

    caught_by = "non_finite::TestNaN::test_value"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        both = np.isnan(x).any(-1, keepdims=True) & np.isinf(x).any(-1, keepdims=True)
        return np.where(both, y.dtype.type(np.inf), y)


class NaNSpoilsOtherSecondDerivatives(Fault):
    caught_by = "non_finite::TestNaN::test_second_derivatives"

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        by_x, by_c, by_y = super().vjp_of_vjp(problem, *arrays)
        return by_x, by_c, np.where(np.isnan(arrays[0]).any(), by_y.dtype.type(np.nan), by_y)


class WeighsInsteadOfInterpolating(Fault):
    caught_by = "non_finite::TestInfinity::test_value"

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        return (1 - fraction) * left + fraction * right


class ReturnsFloat32ForFloat16(Fault):
    caught_by = "dtypes::TestResults::test_of_layers"
    dtype = "float16"

    def store(self, problem: Problem, array: Floats) -> Floats:
        return array.astype(np.float32)


class ReturnsControlPointsInFloat32(ReturnsFloat32ForFloat16):
    caught_by = "dtypes::TestResults::test_of_maps"
    dtype = "bfloat16"


class ReturnsFloat64ForFloat32(Fault):
    caught_by = "dtypes::TestResults::test_of_layers"

    def compute_dtype(self, problem: Problem) -> Any:
        return np.float64

    def store(self, problem: Problem, array: Floats) -> Floats:
        return array


class RoundsTheValueAndNotTheGradient(Fault):
    caught_by = "dtypes::TestResults::test_of_layers"
    dtype = "float16"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        wide = dataclasses.replace(problem, dtype="float32")
        return super().vjp(wide, *arrays)


class FlushesSmallResults(Fault):
    caught_by = "dtypes::TestSubnormals::test_value"
    dtype = "float16"

    def store(self, problem: Problem, array: Floats) -> Floats:
        return _flush(super().store(problem, array))


class FlushesSmallControlPoints(Fault):
    caught_by = "dtypes::TestSubnormals::test_gradient_of_inputs"
    dtype = "float16"

    def take(self, problem: Problem, *arrays: Floats) -> tuple[Floats, ...]:
        return tuple(_flush(array) for array in super().take(problem, *arrays))


class FlushesSmallIncomingGradients(FlushesSmallControlPoints):
    caught_by = "dtypes::TestSubnormals::test_gradient_of_control_points"


class NaNInAControlPointSpoilsEveryRow(Fault):
    caught_by = "non_finite::TestReach::test_of_a_control_point"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        lost = ~np.isfinite(control_points).all(axis=(0, 1))
        return np.where(lost, np.nan, super().forward(problem, x, control_points))


class NaNInAControlPointSpoilsOtherOutputs(Fault):
    """It declares that products spread NaN, which is no excuse for another output."""

    caught_by = "non_finite::TestReach::test_of_a_control_point"
    info = dataclasses.replace(Plain.info, spreads_non_finite=True)

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        lost = ~np.isfinite(y).all(axis=-1, keepdims=True)
        return np.where(lost, np.nan, y)


class HidesNaNInControlPoints(Fault):
    caught_by = "non_finite::TestReach::test_of_a_control_point"

    def take(self, problem: Problem, *arrays: Floats) -> tuple[Floats, ...]:
        x, *others = super().take(problem, *arrays)
        return x, *(np.nan_to_num(array) for array in others)


class NaNInAControlPointSpoilsItsGradient(Fault):
    caught_by = "non_finite::TestReach::test_of_a_control_point"
    info = dataclasses.replace(Plain.info, spreads_non_finite=True)

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        return gx, gc + 0 * arrays[1]


class AnInfiniteGradientReachesEveryKnot(Fault):
    caught_by = "non_finite::TestReach::test_of_an_incoming_gradient"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        super().scatter(gc, knot, terms)
        gc += np.where(np.isfinite(terms).all(axis=0), 0, np.nan)


class AnInfiniteGradientReachesOtherRows(Fault):
    caught_by = "non_finite::TestReach::test_of_an_incoming_gradient"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        return np.where(np.isfinite(arrays[2]).all(), gx, np.nan).astype(gx.dtype), gc


class ClipsAnInfiniteGradient(Fault):
    caught_by = "non_finite::TestReach::test_of_an_incoming_gradient"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        x, c, gy = arrays
        return super().vjp(problem, x, c, np.nan_to_num(gy, nan=0, posinf=1e3, neginf=-1e3))


class KeepsKnotsWithoutSayingSo(Fault):
    """As numbers of float32: a fraction is off by eps · K, far outside by that times itself."""

    caught_by = "extrapolation::TestLines::test_value"

    def position(self, problem: Problem, x: Floats) -> Floats:
        knots = np.linspace(-0.5, 0.5, problem.num_control_points).astype(x.dtype)
        knots *= x.dtype.type(problem.spline_width)
        interval = np.searchsorted(knots, x, "right") - 1
        interval = interval.clip(0, problem.num_control_points - 2)
        left, right = knots[interval], knots[interval + 1]
        return np.asarray(interval + (x - left) / (right - left), dtype=x.dtype)


def _flush(array: Floats) -> Floats:
    """Put zero for what is below float16's smallest normal number."""
    return np.where(np.abs(array) < 2.0**-14, array.dtype.type(0), array)
