"""A backend from one function of PyTorch: gradients come from autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kanditioned_spec import Problem

from .base import Matrix, Supports, declare, inverse, takes_all

Evaluate = Callable[[Problem, torch.Tensor, torch.Tensor], torch.Tensor]


class TorchAdapter:
    """A layer that PyTorch differentiates.

    Args:
        evaluate: Takes a problem, x (..., I) and control points (I, K, O) as tensors of the
            problem's dtype on its device, and returns y (..., O). With `matrix`, it takes
            parameters (I, P, O) in place of control points, in that dtype or in float64.
        name: Of the implementation.
        package: The distribution whose version is shown.
        dtypes: The storage dtypes that it takes.
        supports: Which problems it takes.
        matrix: T (K, P) of a problem, if the parameters of the implementation are not control
            points. Where those are given, parameters are made of them by its inverse.
        **declared: Further fields of `BackendInfo`, such as `extrapolation`.

    Example:
        >>> from kanditioned_torch import functional
        >>> def evaluate(problem, x, control_points):
        ...     return functional.spline_forward(x, control_points, problem.spline_width)
        >>> TorchAdapter(evaluate, "mine", "torch").info.name
        'mine'
    """

    def __init__(
        self,
        evaluate: Evaluate,
        name: str,
        package: str,
        dtypes: tuple[str, ...] = ("float32",),
        supports: Supports = takes_all,
        matrix: Matrix | None = None,
        **declared: Any,
    ) -> None:
        self.evaluate = evaluate
        if matrix:
            self.parameter_matrix = matrix
        self.supports = supports
        self.info = declare(name, (package, "torch"), dtypes, **declared)

    def forward(self, problem: Problem, x: Any, control_points: Any) -> Any:
        """Return y."""
        with torch.no_grad():
            return to_numpy(self._value(problem, *to_torch(problem, x, control_points)))

    def vjp(self, problem: Problem, x: Any, control_points: Any, grad_y: Any) -> Any:
        """Return the gradients of x and of the control points."""
        inputs = to_torch(problem, x, control_points)
        (gy,) = to_torch(problem, grad_y)
        return tuple(map(to_numpy, torch.autograd.grad(self._value(problem, *inputs), inputs, gy)))

    def vjp_of_layer(self, problem: Problem, x: Any, theta: Any, grad_y: Any) -> Any:
        """Return y and the gradients of x and of the parameters."""
        inputs = to_torch(problem, x, theta)
        (gy,) = to_torch(problem, grad_y)
        y = self.evaluate(problem, *inputs)
        return tuple(map(to_numpy, (y, *torch.autograd.grad(y, inputs, gy))))

    def vjp_of_vjp(
        self, problem: Problem, x: Any, control_points: Any, grad_y: Any, *cotangents: Any
    ) -> Any:
        """Return the mixed second derivatives."""
        *inputs, gy = to_torch(problem, x, control_points, grad_y)
        y = self._value(problem, *inputs)
        first = torch.autograd.grad(y, inputs, gy, create_graph=True)
        second = torch.autograd.grad(
            first,
            (*inputs, gy),
            to_torch(problem, *cotangents),
            allow_unused=True,
            materialize_grads=True,
        )
        return tuple(map(to_numpy, second))

    def _value(self, problem: Problem, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """Return y of control points."""
        if not hasattr(self, "parameter_matrix"):
            return self.evaluate(problem, x, c)
        back = torch.from_numpy(inverse(self.parameter_matrix(problem))).to(c.device)
        return self.evaluate(problem, x, torch.einsum("pk,iko->ipo", back, c.double()))


def to_torch(problem: Problem, *arrays: Any) -> list[torch.Tensor]:
    """Copy arrays to the problem's device and dtype, as leaves that require gradients."""
    dtype = getattr(torch, problem.dtype)
    return [
        torch.from_numpy(np.array(array)).to(problem.device, dtype).requires_grad_()
        for array in arrays
    ]


def to_numpy(tensor: torch.Tensor) -> Any:
    """Return the values in the NumPy dtype that holds them (bfloat16 in float32)."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
