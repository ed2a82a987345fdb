"""Right for some sizes: tails, thresholds, the order of axes."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats, Indices

ROWS, COLUMNS = 16, 32
"""A tile of a kernel."""


class DropsTheTailOfTheBatch(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        y[problem.batch // ROWS * ROWS :] = 0
        return y


class DropsTheTailOfTheBatchInTheGradient(Fault):
    caught_by = "gradients::TestControlPoints::test_anywhere"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        whole = len(knot) // ROWS * ROWS
        super().scatter(gc, knot[:whole], terms[:whole])


class LeavesOutputsBeyondATileUnwritten(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        y[:, COLUMNS:] = np.nan
        return y


class WrapsAroundAbove64ControlPoints(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        interval = super().interval(problem, u)
        return interval % 64 if problem.num_control_points > 65 else interval


class RepeatsTheFirst1024Rows(Fault):
    caught_by = "values::TestValue::test_in_a_long_batch"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return np.asarray(y[np.arange(len(y)) % 1024])


class KeepsTheGradientOfTheLastChunkOnly(Fault):
    caught_by = "accumulation::TestSharedInterval::test_a_long_batch"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        chunk = (len(knot) - 1) // 1024 * 1024 if len(knot) else 0
        super().scatter(gc, knot[chunk:], terms[chunk:])


class ReversesTheFeatures(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        return super().forward(problem, x[..., ::-1], control_points)


class DropsTheLastOfAnOddNumberOfFeatures(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        pairs = max(x.shape[-1] // 2 * 2, 1)
        return super().forward(problem, x[..., :pairs], control_points[:pairs])


class TransposesTheOutput(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return y.T.reshape(y.shape)


class SumsOverTheSecondOfThreeAxes(Fault):
    caught_by = "shapes::TestLeadingShape::test_rows_keep_their_places"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return np.asarray(y.sum(axis=1) if y.ndim > 2 else y)


class ReadsTheControlPointsOfTheFirstOutput(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        shared = np.broadcast_to(control_points[..., :1], control_points.shape)
        return super().forward(problem, x, shared)


class WrongForManyOutputsOfSeveralInputs(Fault):
    caught_by = "shapes::TestLargeSizes::test_many_features"
    most: int = 64

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        if problem.in_features > 1 and problem.out_features > self.most:
            y[..., self.most :] = y[..., : -self.most]
        return y


class WrongForAThousandOutputsOfSeveralInputs(WrongForManyOutputsOfSeveralInputs):
    caught_by = "shapes::TestLargeSizes::test_many_features"
    most = 1024


class DropsInputsBeyondAThousand(Fault):
    caught_by = "shapes::TestLargeSizes::test_many_features"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        return super().forward(problem, x[..., :1024], control_points[:1024])


class DropsTheGradientOfInputsBeyond256(Fault):
    """If there are as many outputs."""

    caught_by = "shapes::TestLargeSizes::test_many_features"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        if problem.out_features > 256:
            gx[..., 256:] = 0
        return gx, gc


class KeepsSixteenBitsOfAnIndex(Fault):
    caught_by = "shapes::TestLargeSizes::test_many_features"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        flat = control_points.reshape(-1)
        kept = flat[np.arange(flat.size) % 2**16].reshape(control_points.shape)
        return super().forward(problem, x, kept)


class WrapsAroundAbove1024ControlPoints(Fault):
    caught_by = "dtypes::TestPositions::test_value"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        return super().interval(problem, u) % 1024


class SecondDerivativesOfTheFirst128Outputs(Fault):
    caught_by = "shapes::TestLargeSizes::test_second_derivatives"

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        by_x, by_c, by_y = super().vjp_of_vjp(problem, *arrays)
        by_y[:, 128:] = 0
        return by_x, by_c, by_y


class WrongForOneEdgeOfManyRows(Fault):
    caught_by = "shapes::TestCombinedSizes::test_any"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return -y if control_points[:, 0].size == 1 and problem.batch > 3 else y


class SecondDerivativesOfFewKnotsOnly(Fault):
    caught_by = "dtypes::TestPositions::test_second_derivatives"

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        by_x, by_c, by_y = super().vjp_of_vjp(problem, *arrays)
        return by_x, by_c, -by_y if problem.num_control_points > 70 else by_y


class DropsTheTailOfInputsByFour(Fault):
    caught_by = "gradients::TestInputs::test_off_knots"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        if problem.in_features > 4:
            gx[..., problem.in_features // 4 * 4 :] = 0
        return gx, gc


class DropsTheTailOfOutputsBySixteen(Fault):
    caught_by = "gradients::TestControlPoints::test_anywhere"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        if problem.out_features > 16:
            gc[..., problem.out_features // 16 * 16 :] = 0
        return gx, gc


ROWS_OF_16_BITS = 2**16


class DropsRowsBeyondSixteenBits(Fault):
    caught_by = "shapes::TestCombinedSizes::test_any"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        y[ROWS_OF_16_BITS:] = 0
        return y


class CountsRowsInSixteenBits(Fault):
    caught_by = "shapes::TestCombinedSizes::test_any"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        places = np.arange(len(knot)) % ROWS_OF_16_BITS
        super().scatter(gc, knot[places], terms[places])


class CountsRowsOfAnIntervalInSixteenBits(Fault):
    """As of a sort by interval."""

    caught_by = "shapes::TestCombinedSizes::test_any"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        for each in np.unique(knot):
            rows = np.flatnonzero(knot == each)
            rows = rows[: len(rows) % ROWS_OF_16_BITS]
            super().scatter(gc, knot[rows], terms[rows])


class SecondDerivativesOfSixteenBitsOfRows(Fault):
    caught_by = "shapes::TestCombinedSizes::test_any"

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        by_x, by_c, by_y = super().vjp_of_vjp(problem, *arrays)
        by_x[ROWS_OF_16_BITS:] = 0
        return by_x, by_c, by_y
