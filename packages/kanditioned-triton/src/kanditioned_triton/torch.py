"""The kernels as PyTorch operators, and the implementation `impl="triton"` made of them.

The operators are opaque to torch.compile, which takes their results' shapes and dtypes from the
functions registered as fakes. They have no derivatives of their own: those are the same three
operators again, and `kanditioned_torch.autograd` says which.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kanditioned_torch.impls import Impl

from . import device, launch


@torch.library.custom_op("kanditioned_triton::interpolate", mutates_args=())
def interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return Σ_i s(x), or along a direction v (B, I) the derivative Σ_i v s'(x): (B, O)."""
    device.check(x)
    return launch.interpolate(x, direction, control_points, spline_width, dtype, precision)


@interpolate.register_fake
def _(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape[0], control_points.shape[2], dtype=dtype)


@torch.library.custom_op("kanditioned_triton::contract", mutates_args=())
def contract(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return Σ_o gy s'(x), the gradient by x: (B, I)."""
    device.check(x)
    return launch.contract(x, control_points, grad_y, spline_width, dtype, precision)


@contract.register_fake
def _(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype)


@torch.library.custom_op("kanditioned_triton::accumulate", mutates_args=())
def accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return the gradient by the control points (I, K, O), or its derivative along v."""
    device.check(x)
    return launch.accumulate(
        x, direction, grad_y, num_control_points, spline_width, dtype, precision
    )


@accumulate.register_fake
def _(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape[1], num_control_points, grad_y.shape[1], dtype=dtype)


impl = Impl(interpolate, contract, accumulate)
