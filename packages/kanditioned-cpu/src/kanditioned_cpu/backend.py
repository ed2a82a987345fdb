"""The kernels as a backend of the conformance protocol, without any framework."""

from __future__ import annotations

import numpy as np

from kanditioned_spec import SPEC_VERSION, BackendInfo, Problem
from kanditioned_spec.protocol import NumpyArray

from . import functional
from .native import instruction_set

DTYPES = ("float64", "float32", "float16")


class CpuBackend:
    """The functions of `functional`; parameters are control points."""

    @property
    def info(self) -> BackendInfo:
        return BackendInfo(
            name="cpu",
            framework=f"numpy {np.__version__}, {instruction_set()}",
            spec_version=SPEC_VERSION,
            dtypes=DTYPES,
            devices=("cpu",),
            parameterizations=("bspline",),
            accumulation={d: "float64" if d == "float64" else "float32" for d in DTYPES},
        )

    def supports(self, problem: Problem) -> bool | str:
        return problem.device == "cpu" or f"the kernels have no device {problem.device!r}"

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        return functional.forward(x, control_points, problem.spline_width)

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        return functional.vjp(x, control_points, problem.spline_width, grad_y)

    def vjp_of_vjp(
        self,
        problem: Problem,
        x: NumpyArray,
        control_points: NumpyArray,
        grad_y: NumpyArray,
        cotangent_x: NumpyArray,
        cotangent_control_points: NumpyArray,
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        return functional.vjp_of_vjp(
            x, control_points, problem.spline_width, grad_y, cotangent_x, cotangent_control_points
        )


backend = CpuBackend()
