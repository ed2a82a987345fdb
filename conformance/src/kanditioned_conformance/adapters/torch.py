"""A backend from one function of PyTorch: gradients come from autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kanditioned_spec import Problem

from .base import Supports, declare, takes_all

Evaluate = Callable[[Problem, torch.Tensor, torch.Tensor], torch.Tensor]


class TorchAdapter:
    """A layer that PyTorch differentiates.

    Args:
        evaluate: Takes a problem, x (..., I) and control points (I, K, O) as tensors of the
            problem's dtype on its device, and returns y (..., O). Parameters of another form are
            made of the control points inside it, so that autograd sees how.
        name: Of the implementation.
        package: The distribution whose version is shown.
        dtypes: The storage dtypes that it takes.
        supports: Which problems it takes.
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
        **declared: Any,
    ) -> None:
        self.evaluate = evaluate
        self.supports = supports
        self.info = declare(name, (package, "torch"), dtypes, **declared)

    def forward(self, problem: Problem, x: Any, control_points: Any) -> Any:
        """Return y."""
        with torch.no_grad():
            return to_numpy(self.evaluate(problem, *to_torch(problem, x, control_points)))

    def vjp(self, problem: Problem, x: Any, control_points: Any, grad_y: Any) -> Any:
        """Return the gradients of x and of the control points."""
        inputs = to_torch(problem, x, control_points)
        (gy,) = to_torch(problem, grad_y)
        return tuple(
            map(to_numpy, torch.autograd.grad(self.evaluate(problem, *inputs), inputs, gy))
        )

    def vjp_of_vjp(
        self, problem: Problem, x: Any, control_points: Any, grad_y: Any, *cotangents: Any
    ) -> Any:
        """Return the mixed second derivatives."""
        *inputs, gy = to_torch(problem, x, control_points, grad_y)
        y = self.evaluate(problem, *inputs)
        first = torch.autograd.grad(y, inputs, gy, create_graph=True)
        second = torch.autograd.grad(
            first,
            (*inputs, gy),
            to_torch(problem, *cotangents),
            allow_unused=True,
            materialize_grads=True,
        )
        return tuple(map(to_numpy, second))


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
