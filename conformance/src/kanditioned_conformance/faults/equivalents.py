"""What looks like a fault and is none: each passes every chapter, and says why it may."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import dataclasses
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from kanditioned_spec import Problem

from .plain import Plain
from .steps import Floats, Indices

EQUIVALENTS: list[type[Equivalent]] = []


class Equivalent(Plain):
    """The plain backend with one step done otherwise.

    Attributes:
        because: Why that makes no difference.
    """

    because: ClassVar[str]

    def __init_subclass__(cls) -> None:
        EQUIVALENTS.append(cls)


class TruncatesInsteadOfFloor(Equivalent):
    because = "they differ for u < 0 only, where the interval is clipped to 0"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        kept = np.trunc(u).clip(0, problem.num_control_points - 2)
        return np.where(np.isnan(u), 0, kept).astype(np.intp)


class ClipsBeforeFloor(Equivalent):
    because = "both bounds are integers, so floor and clip commute"

    def interval(self, problem: Problem, u: Floats) -> Indices:
        kept = np.floor(u.clip(0, problem.num_control_points - 2))
        return np.where(np.isnan(u), 0, kept).astype(np.intp)


class PositionAsOneMultiplyAdd(Equivalent):
    because = "x·(K−1)/w + (K−1)/2 rounds otherwise; the condition has that rounding"

    def position(self, problem: Problem, x: Floats) -> Floats:
        intervals = problem.num_control_points - 1
        scale = x.dtype.type(intervals / problem.spline_width)
        return np.asarray(x * scale + x.dtype.type(intervals / 2))


class FusesMultiplyAndAdd(Equivalent):
    because = "a fused multiply-add rounds once where the formula rounds twice"

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        wide = fraction.astype(np.float64) * (right - left) + left
        return wide.astype(left.dtype)


class ComputesInFloat64(Equivalent):
    because = "accumulation may be wider than float32"

    def compute_dtype(self, problem: Problem) -> Any:
        return np.float64


class AddsFeaturesFromTheLast(Equivalent):
    because = "the order of a sum is free"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        return super().forward(problem, x[..., ::-1], control_points[::-1])


class AddsTheBatchFromTheLast(Equivalent):
    because = "the order of a sum is free, if it is the same every time"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        super().scatter(gc, knot[::-1], terms[::-1])


class MultipliesByTheReciprocalOfTheSpacing(Equivalent):
    because = "it differs from a division by one rounding"

    def slope(self, problem: Problem, c: Floats, interval: Indices, fraction: Floats) -> Floats:
        reciprocal = c.dtype.type((problem.num_control_points - 1) / problem.spline_width)
        slope = (c[interval + 1] - c[interval]) * reciprocal
        return np.asarray(np.where(np.isnan(fraction)[:, None], c.dtype.type(np.nan), slope))


class ConstantOutside(Equivalent):
    because = "it declares its extrapolation, which is judged by what is declared"
    info = dataclasses.replace(Plain.info, extrapolation="constant")

    def position(self, problem: Problem, x: Floats) -> Floats:
        low, high = self.ends(problem)
        last = x.dtype.type(problem.num_control_points - 1)
        inside = np.where(x > high, last, super().position(problem, x))
        return np.where(x < low, x.dtype.type(0), inside)

    def slope(self, problem: Problem, c: Floats, interval: Indices, fraction: Floats) -> Floats:
        slope = super().slope(problem, c, interval, fraction)
        last = problem.num_control_points - 2
        ends = ((interval == 0) & (fraction == 0)) | ((interval == last) & (fraction == 1))
        return np.asarray(np.where(ends[:, None], c.dtype.type(0), slope))

    def vjp_of_vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats, Floats]:
        x, c, gy, v, direction = arrays
        low, high = self.ends(problem)
        moves = ~((x < low) | (x > high))
        return super().vjp_of_vjp(problem, x, c, gy, np.where(moves, v, 0), direction)

    def ends(self, problem: Problem) -> tuple[float, float]:
        return -problem.spline_width / 2, problem.spline_width / 2


class Inside(Equivalent):
    because = "without an extrapolation, no input is outside"
    info = dataclasses.replace(Plain.info, extrapolation=None)

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if (np.abs(x) > problem.spline_width / 2).any():
            raise ValueError("an input is outside the domain")
        return super().forward(problem, x, control_points)


class StoredKnots(Equivalent):
    because = "they are declared, and the bound has their rounding"
    info = dataclasses.replace(Plain.info, stored_knots=True)

    def position(self, problem: Problem, x: Floats) -> Floats:
        knots = np.linspace(-0.5, 0.5, problem.num_control_points).astype(x.dtype)
        knots *= x.dtype.type(problem.spline_width)
        interval = np.searchsorted(knots, x, "right") - 1
        interval = interval.clip(0, problem.num_control_points - 2)
        left, right = knots[interval], knots[interval + 1]
        return np.asarray(interval + (x - left) / (right - left), dtype=x.dtype)


class Dense(Equivalent):
    because = "a hat basis times a matrix has the same terms; only infinities need the formula"
    info = dataclasses.replace(Plain.info, spreads_non_finite=True)

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        narrow = super().forward(problem, x, control_points)
        x, c = self.take(problem, x.reshape(-1, x.shape[-1]), control_points)
        basis = np.zeros((*x.shape, c.shape[1]), x.dtype)  # [B, I, K]
        rows = np.arange(len(x))
        for i in range(c.shape[0]):
            interval, fraction = self.locate(problem, x[:, i])
            basis[rows, i, interval], basis[rows, i, interval + 1] = self.weights(fraction)
        with np.errstate(invalid="ignore"):
            dense = basis.reshape(len(x), c[..., 0].size) @ c.reshape(-1, c.shape[2])
        finite = np.isfinite(x).all(axis=1, keepdims=True)
        wide = np.where(finite, self.store(problem, dense), narrow.reshape(dense.shape))
        return wide.reshape(narrow.shape)


class ReturnsArraysInFortranOrder(Equivalent):
    because = "any strides, of results too"

    def store(self, problem: Problem, array: Floats) -> Floats:
        return np.asfortranarray(super().store(problem, array))


class ReturnsViewsOfALargerBuffer(Equivalent):
    because = "the buffer is new at every call, so that the caller alone has it"

    def store(self, problem: Problem, array: Floats) -> Floats:
        result = super().store(problem, array)
        buffer = np.full([2 * size + 1 for size in result.shape], np.nan, result.dtype)
        view = buffer[tuple(slice(1, 2 * size + 1, 2) for size in result.shape)]
        view[...] = result
        return view


class ReturnsReadOnlyArrays(Equivalent):
    because = "who wants to write makes a copy, as of an array of JAX"

    def store(self, problem: Problem, array: Floats) -> Floats:
        result = super().store(problem, array)
        result.flags.writeable = False
        return result


class RemembersByValueAndCopies(Equivalent):
    because = "what is remembered is the right result for these numbers, and the caller has a copy"

    def __init__(self) -> None:
        self.values: dict[Any, Floats] = {}

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        key = (problem, x.shape, x.tobytes(), control_points.tobytes())
        if key not in self.values:
            self.values[key] = super().forward(problem, x, control_points)
        return self.values[key].copy()


class TakesTurnsWithAWorkspace(Equivalent):
    because = "a lock keeps other threads away until the workspace is copied"

    def __init__(self) -> None:
        self.lock, self.workspaces = Lock(), dict[Any, Floats]()

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        with self.lock:
            y = super().forward(problem, x, control_points)
            workspace = self.workspaces.setdefault((y.shape, y.dtype), np.empty_like(y))
            workspace[...] = y
            return workspace.copy()


class AddsInBlocks(Equivalent):
    because = "partial sums of blocks, added up last to first, are a sum in another order"

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        for first in reversed(range(0, len(knot), 7)):
            part = np.zeros_like(gc)
            super().scatter(part, knot[first : first + 7], terms[first : first + 7])
            gc += part

    def sum_outputs(self, problem: Problem, terms: Floats) -> Floats:
        return np.asarray(terms[:, ::2].sum(1) + terms[:, 1::2].sum(1))


class FollowsTheSlopeFromTheKnot(Equivalent):
    because = "the distance from the left knot is t h; it rounds otherwise"

    def locate(self, problem: Problem, x: Floats) -> tuple[Indices, Floats]:
        interval, _ = super().locate(problem, x)
        h, middle = self.spacing(problem), x.dtype.type((problem.num_control_points - 1) / 2)
        return interval, np.asarray((x - (interval.astype(x.dtype) - middle) * h) / h)
