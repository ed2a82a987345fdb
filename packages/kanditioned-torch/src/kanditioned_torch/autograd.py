"""The layer as a differentiable function of inputs and control points.

Three functions, each the derivative of the others (see `impls.base`), so that reverse and forward
mode, vmap and any mix of them close over the same three. Only x is saved, never a temporary: the
interval and the fraction are computed again.

Each comes twice. Dynamo traces an `autograd.Function` with a `backward` but refuses one that also
defines `jvp` or `vmap`; eager mode needs those for torch.func. `_function` returns the one to use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .grid import knots_per_unit, locate
from .selection import implementation


def interpolate(
    x: Tensor, direction: Tensor | None, control_points: Tensor, spline_width: float, impl: str
) -> Tensor:
    """Return Σ_i s(x), or with a direction v (B, I) its derivative Σ_i v s'(x), shape (B, O)."""
    function = _function(_Interpolate, _InterpolateTransforms)
    return function(x, direction, control_points, spline_width, impl)


def contract(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, impl: str
) -> Tensor:
    """Return Σ_o gy s'(x), the gradient by x, shape (B, I)."""
    return _function(_Contract, _ContractTransforms)(x, control_points, grad_y, spline_width, impl)


def accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    impl: str,
) -> Tensor:
    """Return the gradient by the control points (I, K, O), or its derivative along v."""
    function = _function(_Accumulate, _AccumulateTransforms)
    return function(x, direction, grad_y, num_control_points, spline_width, impl)


def _function(
    traced: type[torch.autograd.Function], transforms: type[torch.autograd.Function]
) -> Callable[..., Any]:
    function = traced if torch.compiler.is_compiling() else transforms
    return function.apply  # type: ignore[no-any-return, no-untyped-call]


def _weight(
    x: Tensor, fraction: Tensor, direction: Tensor | None, count: int, spline_width: float
) -> Tensor:
    """Return the fraction, or v/h along a direction; NaN where x is NaN."""
    if direction is None:
        return fraction
    return _nan_where_nan(x, direction * knots_per_unit(count, spline_width))


def _nan_where_nan(x: Tensor, values: Tensor) -> Tensor:
    return torch.where(x.isnan(), x, values)


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor, direction: Tensor | None, control_points: Tensor, spline_width: float, impl: str
    ) -> Tensor:
        count = control_points.shape[1]
        interval, fraction = locate(x, count, spline_width)
        weight = _weight(x, fraction, direction, count, spline_width)
        chosen = implementation("interpolate", impl, x, control_points.shape)
        return chosen(interval, weight, control_points.contiguous(), direction is None)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, direction, control_points, ctx.spline_width, ctx.impl = inputs
        ctx.save_for_backward(x, direction, control_points)
        ctx.save_for_forward(x, direction, control_points)

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, direction, c = ctx.saved_tensors
        static = (ctx.spline_width, ctx.impl)
        of_position = ctx.needs_input_grad[0 if direction is None else 1]
        grad = contract(x, c, grad_y, *static) if of_position else None
        grad_c = None
        if ctx.needs_input_grad[2]:
            grad_c = accumulate(x, direction, grad_y, c.shape[1], *static)
        return *((grad, None) if direction is None else (None, grad)), grad_c, None, None


class _Contract(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, impl: str
    ) -> Tensor:
        count = control_points.shape[1]
        interval, _ = locate(x, count, spline_width)
        chosen = implementation("contract", impl, x, control_points.shape)
        products = chosen(interval, control_points.contiguous(), grad_y)
        return _nan_where_nan(x, products * knots_per_unit(count, spline_width))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, control_points, grad_y, ctx.spline_width, ctx.impl = inputs
        ctx.save_for_backward(x, control_points, grad_y)
        ctx.save_for_forward(x, control_points, grad_y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, c, grad_y = ctx.saved_tensors
        static = (ctx.spline_width, ctx.impl)
        grad_c = grad_gy = None
        if ctx.needs_input_grad[1]:
            grad_c = accumulate(x, grad, grad_y, c.shape[1], *static)
        if ctx.needs_input_grad[2]:
            grad_gy = interpolate(x, grad, c, *static)
        return None, grad_c, grad_gy, None, None


class _Accumulate(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        num_control_points: int,
        spline_width: float,
        impl: str,
    ) -> Tensor:
        interval, fraction = locate(x, num_control_points, spline_width)
        weight = _weight(x, fraction, direction, num_control_points, spline_width)
        shape = (x.shape[1], num_control_points, grad_y.shape[1])
        chosen = implementation("accumulate", impl, x, shape)
        return chosen(interval, weight, grad_y, num_control_points, direction is None)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, direction, grad_y, ctx.count, ctx.spline_width, ctx.impl = inputs
        ctx.save_for_backward(x, direction, grad_y)
        ctx.save_for_forward(x, direction, grad_y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, direction, grad_y = ctx.saved_tensors
        static = (ctx.spline_width, ctx.impl)
        of_position = ctx.needs_input_grad[0 if direction is None else 1]
        slope = contract(x, grad, grad_y, *static) if of_position else None
        grad_gy = interpolate(x, direction, grad, *static) if ctx.needs_input_grad[2] else None
        by_position = (slope, None) if direction is None else (None, slope)
        return *by_position, grad_gy, None, None, None


class _InterpolateTransforms(_Interpolate):
    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dv: Tensor | None, dc: Tensor | None, *_: None) -> Tensor:
        x, direction, c = ctx.saved_tensors
        static = (ctx.spline_width, ctx.impl)
        of_position = dx if direction is None else dv
        return _sum(
            interpolate(x, of_position, c, *static) if of_position is not None else None,
            interpolate(x, direction, dc, *static) if dc is not None else None,
            like=lambda: x.new_zeros(x.shape[0], c.shape[2]),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        x_dim, direction_dim, c_dim, *_ = in_dims
        if c_dim is None and x_dim is not None and (args[1] is None or direction_dim is not None):
            return _fold_into_batch(interpolate, info.batch_size, in_dims, args)
        return _one_by_one(interpolate, info.batch_size, in_dims, args)


class _ContractTransforms(_Contract):
    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dc: Tensor | None, dgy: Tensor | None, *_: None) -> Tensor:
        x, c, grad_y = ctx.saved_tensors
        static = (ctx.spline_width, ctx.impl)
        return _sum(
            contract(x, dc, grad_y, *static) if dc is not None else None,
            contract(x, c, dgy, *static) if dgy is not None else None,
            like=lambda: torch.zeros_like(x),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        x_dim, c_dim, gy_dim, *_ = in_dims
        if c_dim is None and x_dim is not None and gy_dim is not None:
            return _fold_into_batch(contract, info.batch_size, in_dims, args)
        return _one_by_one(contract, info.batch_size, in_dims, args)


class _AccumulateTransforms(_Accumulate):
    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dv: Tensor | None, dgy: Tensor | None, *_: None) -> Tensor:
        x, direction, grad_y = ctx.saved_tensors
        static = (ctx.count, ctx.spline_width, ctx.impl)
        of_position = dx if direction is None else dv
        return _sum(
            accumulate(x, of_position, grad_y, *static) if of_position is not None else None,
            accumulate(x, direction, dgy, *static) if dgy is not None else None,
            like=lambda: x.new_zeros(x.shape[1], ctx.count, grad_y.shape[1]),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        return _one_by_one(accumulate, info.batch_size, in_dims, args)


def _sum(first: Tensor | None, second: Tensor | None, like: Callable[[], Tensor]) -> Tensor:
    """Add two tangents of which either may be absent."""
    if first is None or second is None:
        present = first if second is None else second
        return like() if present is None else present
    return first + second


def _fold_into_batch(
    function: Callable[..., Tensor], size: int, in_dims: tuple[int | None, ...], args: Any
) -> tuple[Tensor, int]:
    """Evaluate mapped (B, ...) arguments as one batch of size · B rows."""
    folded = [
        argument.movedim(dim, 0).flatten(0, 1) if dim is not None else argument
        for argument, dim in zip(args, in_dims, strict=True)
    ]
    return function(*folded).unflatten(0, (size, -1)), 0


def _one_by_one(
    function: Callable[..., Tensor], size: int, in_dims: tuple[int | None, ...], args: Any
) -> tuple[Tensor, int]:
    """Evaluate a mapped function for each index: control points or their gradient differ."""
    results = [
        function(
            *(
                argument.select(dim, index) if dim is not None else argument
                for argument, dim in zip(args, in_dims, strict=True)
            )
        )
        for index in range(size)
    ]
    return torch.stack(results), 0
