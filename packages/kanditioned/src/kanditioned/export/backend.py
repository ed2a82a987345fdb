"""Exported programs as backends of the conformance protocol, without gradients.

For every call the control points are written as a program, which is compiled and run.
"""

from __future__ import annotations

import ctypes
import runpy
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from kanditioned_spec import SPEC_VERSION, BackendInfo, Problem
from kanditioned_spec.protocol import NumpyArray

from . import c, numpy
from .program import Program, Single, Stage


class ExportBackend:
    """Programs in one language."""

    def __init__(self, language: str, accumulation: str) -> None:
        self.info = BackendInfo(
            name=f"export-{language}",
            framework=f"exported {language}",
            spec_version=SPEC_VERSION,
            dtypes=("float32",),
            devices=("cpu",),
            parameterizations=("bspline",),
            accumulation={"float32": accumulation},
        )

    def supports(self, problem: Problem) -> bool | str:
        return problem.dtype == "float32" or "exported programs hold float32"

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        points = np.asarray(control_points, np.float32)
        program = Program((Stage(points, problem.spline_width),), "control points")
        rows = np.ascontiguousarray(x, np.float32).reshape(-1, problem.in_features)
        with tempfile.TemporaryDirectory() as folder:
            y = self.evaluate(program, rows, Path(folder))
        return y.reshape(*x.shape[:-1], problem.out_features)

    def evaluate(self, program: Program, x: Single, folder: Path) -> Single:
        """Run a program at inputs (N, I), giving (N, O)."""
        raise NotImplementedError


class CBackend(ExportBackend):
    """C, compiled to a shared library by the machine's `cc`."""

    def evaluate(self, program: Program, x: Single, folder: Path) -> Single:
        header, source = c.render(program, c.Options(), SPEC_VERSION)
        (folder / "model.h").write_text(header)
        (folder / "model.c").write_text(source)
        command = ["cc", "-std=c99", "-O1", "-shared", "-fPIC", "model.c", "-o", "model.so", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
        forward = ctypes.CDLL(str(folder / "model.so")).model_forward
        forward.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        y = np.full((len(x), program.widths[-1]), np.nan, np.float32)
        for row, result in zip(x, y, strict=True):
            forward(row.ctypes.data, result.ctypes.data)
        return y


class NumpyBackend(ExportBackend):
    """One file of NumPy, read as a module."""

    def evaluate(self, program: Program, x: Single, folder: Path) -> Single:
        (folder / "model.py").write_text(numpy.render(program, SPEC_VERSION))
        module = runpy.run_path(str(folder / "model.py"))
        return np.asarray(module["forward"](x), np.float32)


c_backend = CBackend("c", "float32")
numpy_backend = NumpyBackend("numpy", "float64")
