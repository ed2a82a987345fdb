"""Something of one call reaches another: of an earlier one, or of one in another thread."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.rounding import round_to

from .base import Fault
from .steps import Floats

LAYERS_IN_THREADS = "determinism::TestThreads::test_of_layers"
LAYERS = "shapes::TestEveryCall::test_of_layers"


class KeepsItsArgumentsInAnAttribute(Fault):
    caught_by = LAYERS_IN_THREADS
    x: Floats

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        self.x = x
        control_points = control_points.copy()
        return super().forward(problem, self.x, control_points)


class SharesAScratchArrayBetweenThreads(Fault):
    """It returns a copy, so that nothing shows in one thread."""

    caught_by = LAYERS_IN_THREADS

    def __init__(self) -> None:
        self.scratch: dict[Any, Floats] = {}

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        scratch = self.scratch.setdefault(gc.shape, np.zeros_like(gc))
        scratch[...] = gc
        time.sleep(0)
        return gx, scratch.copy()


class AddsTheGradientsOfAllThreads(SharesAScratchArrayBetweenThreads):
    caught_by = LAYERS_IN_THREADS

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        gx, gc = super().vjp(problem, *arrays)
        total = self.scratch.setdefault("total", np.zeros_like(gc))
        if total.shape != gc.shape:
            return gx, gc
        total[...] = 0
        time.sleep(0)
        total += gc
        return gx, round_to(total, problem.dtype)


class TurnsGradientsOffForAllThreads(Fault):
    caught_by = LAYERS_IN_THREADS
    differentiates: bool = False

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        self.differentiates = False
        return super().forward(problem, x, control_points)

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        self.differentiates = True
        gx, gc = super().vjp(problem, *arrays)
        return (gx, gc) if self.differentiates else (0 * gx, 0 * gc)


class MapsKeepTheirArgumentsInAnAttribute(Fault):
    caught_by = "determinism::TestThreads::test_of_maps"
    theta: Floats

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        self.theta = theta
        matrix = self.matrix(problem)
        return self.store(problem, matrix @ self.theta.astype(matrix.dtype))


class KnowsInputsByTheirIdentity(Fault):
    caught_by = LAYERS

    def __init__(self) -> None:
        self.last: tuple[Any, ...] = (None, None, None)

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        if self.last[0] is not x or self.last[1] is not control_points:
            self.last = (x, control_points, super().forward(problem, x, control_points))
        return np.array(self.last[2])


class KeepsACopyOfTheControlPointsByIdentity(Fault):
    caught_by = LAYERS

    def __init__(self) -> None:
        self.copies: dict[int, tuple[Floats, Floats]] = {}

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        x, c, gy = arrays
        if self.copies.get(id(c), (None,))[0] is not c:
            self.copies[id(c)] = (c, c.copy())
        return super().vjp(problem, x, self.copies[id(c)][1], gy)


class KnowsParametersByTheirAddress(Fault):
    caught_by = "shapes::TestEveryCall::test_of_maps"

    def __init__(self) -> None:
        self.points: dict[Any, tuple[Floats, Floats]] = {}

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        key = (problem, theta.ctypes.data)
        if key not in self.points:
            self.points[key] = (theta, super().control_points(problem, theta))
        return self.points[key][1].copy()


class ReturnsWhatItRemembers(Fault):
    """It remembers by value, and rightly; but the caller gets the only copy."""

    caught_by = LAYERS

    def __init__(self) -> None:
        self.values: dict[Any, Floats] = {}

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        key = (problem, x.tobytes(), control_points.tobytes())
        if key not in self.values:
            self.values[key] = super().forward(problem, x, control_points)
        return self.values[key]


class ReturnsTheInitialPointsThatItRemembers(Fault):
    caught_by = "shapes::TestEveryCall::test_of_maps"

    def __init__(self) -> None:
        self.points: dict[Any, Floats] = {}

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> Floats:
        points = super().initial_control_points(problem, init, seed)
        return self.points.setdefault((problem, init, seed), points)


class TakesTheControlPointsOfTheFirstCallOfAShape(Fault):
    caught_by = "values::TestValue::test_anywhere"

    def __init__(self) -> None:
        self.points: dict[Any, Floats] = {}

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        points = self.points.setdefault(control_points.shape, control_points.copy())
        return super().forward(problem, x, points)


class DifferentiatesAtTheInputsOfTheLastValue(Fault):
    caught_by = LAYERS
    x: Floats = np.zeros(0)

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        self.x = x
        return super().forward(problem, x, control_points)

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        x, c, gy = arrays
        return super().vjp(problem, self.x if self.x.shape == x.shape else x, c, gy)


class BuildsOneMapForAllOptions(Fault):
    caught_by = "parameterizations::TestMatrix::test_control_points"

    def __init__(self) -> None:
        self.matrices: dict[Any, Floats] = {}

    def matrix(self, problem: Problem) -> Floats:
        matrix = super().matrix(problem)
        key = (problem.parameterization, matrix.shape, problem.dtype)
        return self.matrices.setdefault(key, matrix)


class SeedsTheGlobalState(Fault):
    caught_by = "determinism::TestLayer::test_same_bits"

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        np.random.seed(0)  # noqa: NPY002 - the fault
        return super().vjp(problem, *arrays)


class DrawsFromTheGlobalState(Fault):
    caught_by = "determinism::TestLayer::test_same_bits"

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        random.random()
        return super().forward(problem, x, control_points)


class MapsSeedTheGlobalState(Fault):
    caught_by = "determinism::TestMaps::test_same_bits"

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        np.random.seed(0)  # noqa: NPY002 - the fault
        return super().control_points(problem, theta)


class RefineDrawsFromTheGlobalState(Fault):
    caught_by = "determinism::TestMaps::test_same_bits"

    def refine(self, problem: Problem, control_points: Floats, num_control_points: int) -> Floats:
        random.random()
        return super().refine(problem, control_points, num_control_points)


class KnowsValuesByTheirInputsAlone(Fault):
    caught_by = LAYERS

    def __init__(self) -> None:
        self.values: dict[Any, Floats] = {}

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        y = super().forward(problem, x, control_points)
        return self.values.setdefault((problem, x.shape, x.tobytes()), y).copy()


class KnowsGradientsByTheirPointsAlone(Fault):
    """And not by the incoming gradient."""

    caught_by = LAYERS

    def __init__(self) -> None:
        self.gradients: dict[Any, tuple[Floats, Floats]] = {}

    def vjp(self, problem: Problem, *arrays: Floats) -> tuple[Floats, Floats]:
        x, c, _ = arrays
        key = (problem, x.shape, x.tobytes(), c.tobytes())
        gx, gc = self.gradients.setdefault(key, super().vjp(problem, *arrays))
        return gx.copy(), gc.copy()
