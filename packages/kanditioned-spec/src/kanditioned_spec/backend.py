"""The NumPy reference as a backend: the one that defines what the others are compared with."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from . import checkpoint, initializers, reference, refinement, validate
from .grid import Array, Grid
from .input_map import InputMap
from .int8 import QuantizedLayer
from .parameterizations import PARAMETERIZATIONS, Parameterization
from .parameterizations import parameterization as build
from .protocol import SPEC_VERSION, BackendInfo, NumpyArray, Problem
from .rounding import round_to
from .shapes import Shapes, Signs


class ReferenceBackend:
    """Computes in float64 and rounds its results to the storage dtype."""

    info = BackendInfo(
        name="reference",
        framework=f"numpy {np.__version__}",
        spec_version=SPEC_VERSION,
        dtypes=("float64", "float32", "float16", "bfloat16"),
        devices=("cpu",),
        parameterizations=tuple(PARAMETERIZATIONS),
        accumulation=dict.fromkeys(("float64", "float32", "float16", "bfloat16"), "float64"),
    )

    def supports(self, problem: Problem) -> bool | str:
        return problem.device == "cpu" or f"NumPy has no device {problem.device!r}"

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        return round_to(reference.forward(x, control_points, problem.spline_width), problem.dtype)

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        by_x, by_c = reference.vjp(x, control_points, problem.spline_width, grad_y)
        return round_to(by_x, problem.dtype), round_to(by_c, problem.dtype)

    def vjp_of_vjp(
        self,
        problem: Problem,
        x: NumpyArray,
        control_points: NumpyArray,
        grad_y: NumpyArray,
        cotangent_x: NumpyArray,
        cotangent_control_points: NumpyArray,
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        by_x, by_c, by_grad_y = reference.vjp_of_vjp(
            x,
            control_points,
            problem.spline_width,
            grad_y,
            cotangent_x,
            cotangent_control_points,
        )
        dtype = problem.dtype
        return round_to(by_x, dtype), round_to(by_c, dtype), round_to(by_grad_y, dtype)

    def feature_major(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        y = self.forward(problem, x.T, control_points)
        by_x, by_c = self.vjp(problem, x.T, control_points, grad_y.T)
        return y.T, by_x.T, by_c

    def control_points(self, problem: Problem, theta: NumpyArray) -> NumpyArray:
        return round_to(map_of(problem).control_points(theta), problem.dtype)

    def control_points_transpose(self, problem: Problem, grad: NumpyArray) -> NumpyArray:
        return round_to(map_of(problem).transpose(grad), problem.dtype)

    def vjp_of_layer(
        self, problem: Problem, x: NumpyArray, theta: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        spec, width = map_of(problem), problem.spline_width
        c = spec.control_points(theta)
        by_x, by_c = reference.vjp(x, c, width, grad_y)
        y, by_theta = reference.forward(x, c, width), spec.transpose(by_c)
        dtype = problem.dtype
        return round_to(y, dtype), round_to(by_x, dtype), round_to(by_theta, dtype)

    def parameter_matrix(self, problem: Problem) -> NumpyArray:
        return map_of(problem).matrix()

    def penalty(self, problem: Problem, theta: NumpyArray) -> float:
        return map_of(problem).penalty(theta)

    def feasible(
        self, problem: Problem, control_points: NumpyArray, grad: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        shapes = Shapes.of(problem)
        return shapes.feasible(control_points), shapes.vjp(control_points, grad)

    def map_input(
        self, input_map: InputMap, x: NumpyArray, grad_z: NumpyArray, dtype: str
    ) -> tuple[NumpyArray, NumpyArray]:
        numbers = InputMap(input_map.breakpoints, input_map.images)
        return round_to(numbers(x), dtype), round_to(grad_z * numbers.slope(x), dtype)

    def forward_int8(
        self,
        problem: Problem,
        x: NumpyArray,
        tables: NumpyArray,
        factors: NumpyArray,
        biases: NumpyArray,
        scales: NumpyArray,
    ) -> NumpyArray:
        layer = QuantizedLayer(
            tables.astype(np.int8),
            factors.astype(np.int8),
            biases.astype(np.int32),
            scales.astype(np.float32),
            problem.spline_width,
        )
        return layer.forward(x)

    def parameters_from(self, problem: Problem, control_points: NumpyArray) -> NumpyArray:
        return round_to(map_of(problem).parameters_from(control_points), problem.dtype)

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> NumpyArray:
        sizes = (problem.in_features, problem.out_features)
        grid = Grid(problem.num_control_points, problem.spline_width)
        c = initializers.control_points(init, *sizes, grid, seed, problem.monotone)
        return round_to(c, problem.dtype)

    def refine(
        self, problem: Problem, control_points: NumpyArray, num_control_points: int
    ) -> NumpyArray:
        points = Shapes.of(problem).feasible(control_points)
        return _in_shape(problem, refinement.refine(points, num_control_points))

    def widen(
        self, problem: Problem, control_points: NumpyArray, intervals: int
    ) -> tuple[NumpyArray, float]:
        points = Shapes.of(problem).feasible(control_points)
        wide, width = refinement.widen(points, problem.spline_width, intervals)
        return _in_shape(problem, wide), width

    def layer(self, **arguments: Any) -> NewLayer:
        return new_layer(**arguments)

    def save(self, problem: Problem, theta: NumpyArray, path: str | os.PathLike[str]) -> None:
        layer = checkpoint.Layer.of(checkpoint.LayerConfig.of(problem), theta)
        checkpoint.write(path, checkpoint.Checkpoint({"layer": layer}))

    def load(self, path: str | os.PathLike[str]) -> tuple[Problem, NumpyArray]:
        layer = checkpoint.read(path).only_layer()
        return layer.config.problem(batch=0), layer.values

    def forward_network(self, path: str | os.PathLike[str], x: NumpyArray) -> NumpyArray:
        return checkpoint.read_network(path).forward(x)


class NewLayer(NamedTuple):
    """A layer as it is made: the map from parameters to control points, and θ, shape (I, P, O)."""

    parameterization: Parameterization
    parameters: Array


def new_layer(
    in_features: int,
    out_features: int,
    init: str = "random_normal",
    num_control_points: int = 32,
    spline_width: float = 4.0,
    parameterization: str = "bspline",
    *,
    monotone: Signs = None,
    convex: Signs = None,
    **options: Any,
) -> NewLayer:
    """Check the arguments of `KANLayer`, in the order and with the messages of every backend."""
    where = "KANLayer"
    features = (
        validate.feature_count(where, "in_features", in_features),
        validate.feature_count(where, "out_features", out_features),
    )
    grid = Grid.from_arguments(where, num_control_points, spline_width)
    validate.choice(where, "init", init, initializers.INITIALIZERS)
    validate.choice(where, "parameterization", parameterization, PARAMETERIZATIONS)
    if init == "identity":
        validate.square(where, *features)
    shapes = Shapes.from_arguments(where, features[0], monotone, convex)
    if init == "identity":
        initializers.rising(where, shapes.monotone)
    spec = build(parameterization, grid.num_control_points, **options)
    points = initializers.control_points(init, *features, grid, monotone=shapes.monotone)
    return NewLayer(spec, spec.parameters_from(points))


def _in_shape(problem: Problem, points: Array) -> NumpyArray:
    """Round points. Those of shapes would not stay in order: they are only made feasible."""
    shapes = Shapes.of(problem)
    return shapes.feasible(points) if shapes else round_to(points, problem.dtype)


def map_of(problem: Problem) -> Parameterization:
    """Return the parameterization of a problem."""
    return build(problem.parameterization, problem.num_control_points, **dict(problem.options))


backend = ReferenceBackend()
