"""Layers of parameters and maps of inputs: what becomes of their arguments and results."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np

from kanditioned_spec import InputMap, Problem

from .base import Fault
from .steps import Floats, keep

LayerResults = tuple[Floats, Floats, Floats]


class LayerReturnsItsWorkspace(Fault):
    caught_by = "shapes::TestOwnership::test_results_of_layers"

    def __init__(self) -> None:
        self.spaces: dict[Any, LayerResults] = {}

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        results = super().vjp_of_layer(problem, *arrays)
        return keep(self.spaces, (problem, arrays[0].shape), results)


class LayerReturnsFloat32ForFloat16(Fault):
    caught_by = "dtypes::TestResults::test_of_layers"
    dtype = "float16"

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        y, gx, gradient = super().vjp_of_layer(problem, *arrays)
        return y, gx, gradient.astype(np.float32)


class LayerDrawsFromTheGlobalState(Fault):
    caught_by = "determinism::TestLayer::test_same_bits"

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        random.random()
        return super().vjp_of_layer(problem, *arrays)


class LayerKeepsItsParametersInAnAttribute(Fault):
    caught_by = "determinism::TestThreads::test_of_layers"
    theta: Floats

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        x, self.theta, gy = arrays
        x = x.copy()
        return super().vjp_of_layer(problem, x, self.theta, gy)


class LayerKnowsParametersByTheirIdentity(Fault):
    caught_by = "shapes::TestEveryCall::test_of_layers"

    def __init__(self) -> None:
        self.copies: dict[int, tuple[Floats, Floats]] = {}

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        x, theta, gy = arrays
        _, copy = self.copies.setdefault(id(theta), (theta, theta.copy()))
        return super().vjp_of_layer(problem, x, copy, gy)


class LayerHidesNaN(Fault):
    caught_by = "non_finite::TestLayer::test_end_to_end"

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        x, theta, gy = arrays
        return super().vjp_of_layer(problem, np.nan_to_num(x), theta, gy)


class LayerSpoilsTheSlopesOfOtherRows(Fault):
    """With NaN in one of them."""

    caught_by = "non_finite::TestLayer::test_end_to_end"

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        y, gx, gradient = super().vjp_of_layer(problem, *arrays)
        return y, gx + 0 * gx.sum(0), gradient


class LayerRefusesAnEmptyBatch(Fault):
    caught_by = "empty_batch::TestEmptyBatch::test_gradients_are_zero"
    raises = ValueError

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        arrays[0].max()
        return super().vjp_of_layer(problem, *arrays)


class LayerOfManyPointsHasItsGradientTurned(Fault):
    caught_by = "parameterizations::TestLayerOfManyPoints::test_end_to_end"

    def vjp_of_layer(self, problem: Problem, *arrays: Floats) -> LayerResults:
        y, gx, gradient = super().vjp_of_layer(problem, *arrays)
        many = problem.num_control_points > 64
        return y, gx, gradient[:, ::-1] if many else gradient


class MapOfInputsReturnsItsWorkspace(Fault):
    caught_by = "shapes::TestOwnership::test_results_of_maps"

    def __init__(self) -> None:
        self.spaces: dict[Any, tuple[Floats, Floats]] = {}

    def map_input(
        self, input_map: InputMap, x: Floats, grad_z: Floats, dtype: str
    ) -> tuple[Floats, Floats]:
        results = super().map_input(input_map, x, grad_z, dtype)
        return keep(self.spaces, (x.shape, dtype), results)


class MapOfInputsSeedsTheGlobalState(Fault):
    caught_by = "determinism::TestMaps::test_same_bits"

    def map_input(
        self, input_map: InputMap, x: Floats, grad_z: Floats, dtype: str
    ) -> tuple[Floats, Floats]:
        np.random.seed(0)  # noqa: NPY002 - the fault
        return super().map_input(input_map, x, grad_z, dtype)


class MapOfInputsKeepsThemInAnAttribute(Fault):
    caught_by = "determinism::TestThreads::test_of_maps"
    x: Floats

    def map_input(
        self, input_map: InputMap, x: Floats, grad_z: Floats, dtype: str
    ) -> tuple[Floats, Floats]:
        self.x = x
        time.sleep(0)
        return super().map_input(input_map, self.x, grad_z, dtype)
