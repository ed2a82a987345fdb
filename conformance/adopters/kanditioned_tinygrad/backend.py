"""The adapter for the conformance kit: NumPy in, NumPy out."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
from tinygrad import Tensor, dtypes

from kanditioned_spec import (
    PARAMETERIZATIONS,
    SPEC_VERSION,
    BackendInfo,
    Parameterization,
    Problem,
    checkpoint,
    initializers,
    parameterization,
    refinement,
)

from .functional import along_knots, compute_dtype, spline_forward
from .layer import KANLayer

DTYPES = {
    "float64": dtypes.float64,
    "float32": dtypes.float32,
    "float16": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
}


class TinygradBackend:
    """The functions of this package as methods of the protocol."""

    info = BackendInfo(
        name="tinygrad",
        framework=f"tinygrad {importlib.metadata.version('tinygrad')}",
        spec_version=SPEC_VERSION,
        dtypes=tuple(DTYPES),
        devices=("cpu",),
        parameterizations=tuple(PARAMETERIZATIONS),
        accumulation={name: "float64" if name == "float64" else "float32" for name in DTYPES},
    )

    def supports(self, problem: Problem) -> bool | str:
        return True

    def forward(self, problem: Problem, x: Any, control_points: Any) -> Any:
        x, c = tensor(problem, x), tensor(problem, control_points)
        return numpy(spline_forward(x, c, problem.spline_width))

    def vjp(self, problem: Problem, x: Any, control_points: Any, grad_y: Any) -> Any:
        return tuple(map(numpy, gradients(problem, x, control_points, grad_y)[0]))

    def vjp_of_vjp(
        self, problem: Problem, x: Any, control_points: Any, grad_y: Any, *cotangents: Any
    ) -> Any:
        first, arguments = gradients(problem, x, control_points, grad_y)
        along = (tensor(problem, cotangent) for cotangent in cotangents)
        scalar = sum((g * v).sum() for g, v in zip(first, along, strict=True))
        return tuple(map(numpy, scalar.gradient(*arguments)))

    def control_points(self, problem: Problem, theta: Any) -> Any:
        return self._along_knots(problem, map_of(problem).matrix(), theta)

    def control_points_transpose(self, problem: Problem, grad: Any) -> Any:
        return self._along_knots(problem, map_of(problem).matrix().T, grad)

    def parameters_from(self, problem: Problem, control_points: Any) -> Any:
        inverse = map_of(problem).parameters_from(np.eye(problem.num_control_points))
        return self._along_knots(problem, inverse, control_points)

    def penalty(self, problem: Problem, theta: Any) -> float:
        of = map_of(problem)
        curvature = Tensor(of.curvature(np.eye(of.num_parameters)))
        return float(along_knots(curvature, tensor(problem, theta)).square().sum().item())

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> Any:
        sizes = problem.in_features, problem.out_features
        c = initializers.control_points(init, *sizes, problem.grid, seed)
        return numpy(tensor(problem, c))

    def refine(self, problem: Problem, control_points: Any, num_control_points: int) -> Any:
        fine = refinement.refine_grid("refine", problem.grid, num_control_points)
        return self._along_knots(problem, fine.matrix, control_points)

    def widen(self, problem: Problem, control_points: Any, intervals: int) -> Any:
        wide = refinement.widen_grid("widen", problem.grid, intervals)
        return self._along_knots(problem, wide.matrix, control_points), wide.grid.spline_width

    def layer(self, **arguments: Any) -> KANLayer:
        return KANLayer(**arguments)

    def save(self, problem: Problem, theta: Any, path: Any) -> None:
        config = checkpoint.LayerConfig.of(problem)
        layer = checkpoint.Layer.of(config, numpy(tensor(problem, theta)))
        checkpoint.write(path, checkpoint.Checkpoint({"layer": layer}))

    def load(self, path: Any) -> tuple[Problem, Any]:
        layer = checkpoint.read(path).only_layer()
        problem = layer.config.problem(batch=0)
        return problem, numpy(tensor(problem, layer.values))

    def _along_knots(self, problem: Problem, matrix: Any, values: Any) -> Any:
        result = along_knots(Tensor(matrix), tensor(problem, values))
        return numpy(result.cast(DTYPES[problem.dtype]))


def gradients(
    problem: Problem, x: Any, control_points: Any, grad_y: Any
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """Return the vector-Jacobian product, and its three arguments as tensors."""
    arguments = tuple(tensor(problem, a) for a in (x, control_points, grad_y))
    wide = tuple(a.cast(compute_dtype(a)) for a in arguments)
    y = spline_forward(*wide[:2], problem.spline_width)
    return y.gradient(*arguments[:2], gradient=wide[2]), arguments


def tensor(problem: Problem, values: Any) -> Tensor:
    """Return an array in the storage dtype."""
    return Tensor(np.ascontiguousarray(values), dtype=DTYPES[problem.dtype])


def numpy(values: Tensor) -> Any:
    """Return a tensor as an array: bfloat16, which NumPy lacks, as float32."""
    return (values.float() if values.dtype == dtypes.bfloat16 else values).numpy()


def map_of(problem: Problem) -> Parameterization:
    """Return the parameterization."""
    options = dict(problem.options)
    return parameterization(problem.parameterization, problem.num_control_points, **options)


backend = TinygradBackend()
