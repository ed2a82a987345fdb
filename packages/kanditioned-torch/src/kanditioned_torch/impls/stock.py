"""How stock PyTorch operations make an implementation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..grid import locate, locate_along, nan_where_nan
from ..precision import compute_dtype
from .base import Impl, SplineConfig


def stock(
    interpolate: Callable[[Tensor, Tensor, Tensor, bool], Tensor],
    contract: Callable[[Tensor, Tensor, Tensor], Tensor],
    accumulate: Callable[[Tensor, Tensor, Tensor, int, bool], Tensor],
) -> Impl:
    """Make an implementation of three contractions that are given intervals and weights.

    Their floating tensors share one dtype, float32 or float64, and control points are contiguous.

    Args:
        interpolate: `(interval, weight, control_points, affine) -> (B, O)`.
        contract: `(interval, control_points, grad_y) -> (B, I)`.
        accumulate: `(interval, weight, grad_y, num_control_points, affine) -> (I, K, O)`.
    """

    def layer(
        x: Tensor,
        direction: Tensor | None,
        control_points: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
    ) -> Tensor:
        compute = _compute_dtype(x, direction, control_points)
        interval, weight = locate_along(x.to(compute), direction, config.grid)
        c = control_points.to(compute).contiguous()
        return interpolate(interval, weight, c, direction is None).to(dtype)

    def by_x(
        x: Tensor,
        control_points: Tensor,
        grad_y: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
    ) -> Tensor:
        compute = _compute_dtype(x, control_points, grad_y)
        x, c = x.to(compute), control_points.to(compute).contiguous()
        interval, _ = locate(x, config.grid)
        products = contract(interval, c, grad_y.to(compute))
        return nan_where_nan(x, products * config.grid.knots_per_unit).to(dtype)

    def by_control_points(
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
    ) -> Tensor:
        compute = _compute_dtype(x, direction, grad_y)
        interval, weight = locate_along(x.to(compute), direction, config.grid)
        count, affine = config.grid.num_control_points, direction is None
        return accumulate(interval, weight, grad_y.to(compute), count, affine).to(dtype)

    return Impl(layer, by_x, by_control_points)


def _compute_dtype(*tensors: Tensor | None) -> torch.dtype:
    return compute_dtype(*(tensor.dtype for tensor in tensors if tensor is not None))
