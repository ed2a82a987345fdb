"""What an implementation is, and how stock PyTorch operations make one.

The layer and all its derivatives are contractions of one trilinear form. Let l be the interval of
x[b, i], Δ_l = c_{l+1} - c_l, and w a weight per (b, i). The form

    F(w, c, gy) = Σ_{b,i,o} gy[b, o] (affine · c[i, l, o] + w[b, i] Δ_l[i, o])

gives the layer (w = t, affine) and its derivative along a direction v (w = v/h, not affine). It is
contracted over all but one argument:

    interpolate   ∂F/∂gy    Σ_i affine · c_l + w Δ_l                     (B, O)
    contract      ∂F/∂w     Σ_o gy Δ_l                                   (B, I)
    accumulate    ∂F/∂c     (affine - w) gy onto c_l, w gy onto c_{l+1}  (I, K, O)

Each is a derivative of the others, so these three suffice for derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..grid import is_number, knots_per_unit, locate
from ..precision import compute_dtype


class Interpolate(Protocol):
    """The layer, or its derivative along a direction."""

    def __call__(
        self,
        x: Tensor,
        direction: Tensor | None,
        control_points: Tensor,
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        """Return Σ_i s(x), or along a direction v (B, I) the derivative Σ_i v s'(x): (B, O)."""


class Contract(Protocol):
    """The gradient by x."""

    def __call__(
        self,
        x: Tensor,
        control_points: Tensor,
        grad_y: Tensor,
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        """Return Σ_o gy s'(x), the gradient by x: (B, I)."""


class Accumulate(Protocol):
    """The gradient by the control points, or its derivative along a direction."""

    def __call__(
        self,
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        num_control_points: int,
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        """Return the gradient by the control points (I, K, O), or its derivative along v."""


class Vjp(Protocol):
    """Both gradients in one pass."""

    def __call__(
        self,
        x: Tensor,
        control_points: Tensor,
        grad_y: Tensor,
        spline_width: float,
        precision: str,
    ) -> tuple[Tensor, Tensor]:
        """Return both gradients, in the dtypes of x and of the control points."""


@dataclass(frozen=True)
class Impl:
    """One way to evaluate the layer and its derivatives.

    Shapes: x and direction (B, I), control_points (I, K, O), grad_y (B, O), with any strides and
    any mix of floating dtypes. Positions and sums are float32, or float64 if an argument is;
    results are rounded once, to `dtype`. NaN in x[b, i] reaches row b of y, entry (b, i) of the
    gradient by x, and the control points of interval 0 of feature i, and nothing else.

    `precision` says how operands of products may be rounded: `"highest"` not at all, `"high"` to
    TF32, `"medium"` to bfloat16. An implementation may always give more than it is asked for.

    Attributes:
        interpolate: The layer, or its derivative along a direction.
        contract: The gradient by x.
        accumulate: The gradient by the control points, or its derivative along a direction.
        vjp: Both gradients in one pass, if that is faster.
    """

    interpolate: Interpolate
    contract: Contract
    accumulate: Accumulate
    vjp: Vjp | None = None


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
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        compute = _compute_dtype(x, direction, control_points)
        c = control_points.to(compute)
        interval, weight = _weights(x.to(compute), direction, c.shape[1], spline_width)
        return interpolate(interval, weight, c.contiguous(), direction is None).to(dtype)

    def by_x(
        x: Tensor,
        control_points: Tensor,
        grad_y: Tensor,
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        compute = _compute_dtype(x, control_points, grad_y)
        x, c = x.to(compute), control_points.to(compute)
        interval, _ = locate(x, c.shape[1], spline_width)
        products = contract(interval, c.contiguous(), grad_y.to(compute))
        return _nan_where_nan(x, products * knots_per_unit(c.shape[1], spline_width)).to(dtype)

    def by_control_points(
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        num_control_points: int,
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        compute = _compute_dtype(x, direction, grad_y)
        interval, weight = _weights(x.to(compute), direction, num_control_points, spline_width)
        affine = direction is None
        return accumulate(interval, weight, grad_y.to(compute), num_control_points, affine).to(
            dtype
        )

    return Impl(layer, by_x, by_control_points)


def _compute_dtype(*tensors: Tensor | None) -> torch.dtype:
    return compute_dtype(*(tensor.dtype for tensor in tensors if tensor is not None))


def _weights(
    x: Tensor, direction: Tensor | None, num_control_points: int, spline_width: float
) -> tuple[Tensor, Tensor]:
    """Return the intervals, and the fractions or along a direction v/h; NaN where x is NaN."""
    interval, fraction = locate(x, num_control_points, spline_width)
    if direction is None:
        return interval, fraction
    weight = direction.to(x.dtype) * knots_per_unit(num_control_points, spline_width)
    return interval, _nan_where_nan(x, weight)


def _nan_where_nan(x: Tensor, values: Tensor) -> Tensor:
    return torch.where(is_number(x), values, x)
