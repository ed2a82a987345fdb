"""The NumPy reference as a backend: the one that defines what the others are compared with."""

from __future__ import annotations

import numpy as np

from . import reference
from .parameterizations import PARAMETERIZATIONS, Parameterization, parameterization
from .protocol import SPEC_VERSION, BackendInfo, NumpyArray, Problem


class ReferenceBackend:
    """Computes in float64 and does not round its results to the storage dtype."""

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
        return reference.forward(x, control_points, problem.spline_width)

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        return reference.vjp(x, control_points, problem.spline_width, grad_y)

    def vjp_of_vjp(
        self,
        problem: Problem,
        x: NumpyArray,
        control_points: NumpyArray,
        grad_y: NumpyArray,
        cotangent_x: NumpyArray,
        cotangent_control_points: NumpyArray,
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        return reference.vjp_of_vjp(
            x,
            control_points,
            problem.spline_width,
            grad_y,
            cotangent_x,
            cotangent_control_points,
        )

    def control_points(self, problem: Problem, theta: NumpyArray) -> NumpyArray:
        return _map_of(problem).control_points(theta)

    def control_points_transpose(self, problem: Problem, grad: NumpyArray) -> NumpyArray:
        return _map_of(problem).transpose(grad)

    def penalty(self, problem: Problem, theta: NumpyArray) -> float:
        return _map_of(problem).penalty(theta)


def _map_of(problem: Problem) -> Parameterization:
    return parameterization(
        problem.parameterization, problem.num_control_points, **dict(problem.options)
    )


backend = ReferenceBackend()
