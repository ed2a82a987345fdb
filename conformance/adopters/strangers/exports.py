"""Our own layer after it has left PyTorch: through ONNX Runtime and `torch.export`."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
import torch

from kanditioned_conformance.adapters.base import declare
from kanditioned_conformance.adapters.torch import TorchAdapter
from kanditioned_spec import Problem
from kanditioned_torch.functional import spline_forward


class Evaluated(torch.nn.Module):
    """The layer as a function of inputs and control points."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return spline_forward(x, c, self.width, "embedding")


@cache
def program(p: Problem) -> Any:
    """Return the exported program of a problem, for any batch of at least two rows."""
    sizes = [(2, p.in_features), (p.in_features, p.num_control_points, p.out_features)]
    inputs = tuple(torch.zeros(size, dtype=getattr(torch, p.dtype)) for size in sizes)
    shapes = ({0: torch.export.Dim.AUTO}, None)
    return torch.export.export(Evaluated(p.spline_width), inputs, dynamic_shapes=shapes)


@cache
def session(p: Problem) -> Any:
    """Return the ONNX Runtime session of a problem."""
    file = io.BytesIO()
    inputs = program(p).example_inputs[0]
    torch.onnx.export(program(p), inputs, file, dynamo=True, verbose=False)
    return onnxruntime.InferenceSession(file.getvalue())


def sizes_of(p: Problem) -> Problem:
    """Return a problem without its batch, for the caches."""
    return Problem(2, p.in_features, p.out_features, p.num_control_points, p.spline_width, p.dtype)


SIZES = (
    Problem(0, 2, 3, 6),
    Problem(0, 4, 5, 17, 2.0),
    Problem(0, 1, 2, 70, 20.0),
    Problem(0, 130, 140, 9),
)
"""An export has sizes of its own; of the batch any."""


class OnnxRuntime:
    """Values alone: an inference engine has no gradients."""

    info = declare("ONNX Runtime", ("onnxruntime", "torch"), ("float32",), fixed_problems=SIZES)

    def supports(self, problem: Problem) -> bool | str:
        return True

    def forward(self, problem: Problem, x: Any, c: Any) -> Any:
        run = session(sizes_of(problem))
        names = [each.name for each in run.get_inputs()]
        rows = np.ascontiguousarray(x.reshape(-1, problem.in_features))
        (y,) = run.run(None, dict(zip(names, (rows, np.ascontiguousarray(c)), strict=True)))
        return y.reshape(*x.shape[:-1], problem.out_features)


def run_exported(p: Problem, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Run the exported program on rows."""
    rows = x.reshape(-1, p.in_features)
    return program(sizes_of(p)).module()(rows, c).reshape(*x.shape[:-1], p.out_features)


onnx_runtime = OnnxRuntime()
torch_export = TorchAdapter(run_exported, "torch.export", "torch", fixed_problems=SIZES)
