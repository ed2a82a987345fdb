"""The layer as a differentiable function of inputs and control points.

Four functions, each derivative of one made of the others, so that reverse and forward mode, vmap
and any mix of them close over the same four. Only their arguments are saved, never a temporary:
the interval and the fraction are computed again.

The compiler takes `interpolate` as one operation instead of following its Python: AOTAutograd
still traces what it computes and fuses it, but nothing in here is guarded at every later call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kanditioned_spec.costs import Sizes

from .impls import Impl, SplineConfig
from .plain import apply_of
from .precision import compute_dtype
from .selection import implementation
from .tracing import assume_constant_result
from .vmap import each, fold_into_batch, one_by_one

Saved = tuple[Any, ...]
"""Three tensors, of which one may be absent."""


def _on(config: SplineConfig, x: Tensor, out_features: int) -> Impl:
    """Return the implementation for `x`, its device and sizes."""
    sizes = Sizes(x.shape[0], x.shape[1], out_features, config.grid.num_control_points)
    return implementation(config.impl, x.device.type, sizes)


def interpolate(
    x: Tensor, direction: Tensor | None, c: Tensor, config: SplineConfig, dtype: torch.dtype
) -> Tensor:
    """Return Σ_i s(x), or with a direction v (B, I) its derivative Σ_i v s'(x), shape (B, O)."""
    y: Tensor = apply_of(_Interpolate)(x, direction, c, config, dtype)
    return y


@assume_constant_result
def keep_whole() -> None:
    """Tell the compiler, of which there is one now, to take `interpolate` as one operation."""
    torch.compiler.allow_in_graph(interpolate)  # type: ignore[no-untyped-call]


def contract(
    x: Tensor, c: Tensor, grad_y: Tensor, config: SplineConfig, dtype: torch.dtype
) -> Tensor:
    """Return Σ_o gy s'(x), the gradient by x, shape (B, I)."""
    grad: Tensor = apply_of(_Contract)(x, c, grad_y, config, dtype)
    return grad


def accumulate(
    x: Tensor, direction: Tensor | None, grad_y: Tensor, config: SplineConfig, dtype: torch.dtype
) -> Tensor:
    """Return the gradient by the control points (I, K, O), or its derivative along v."""
    grad: Tensor = apply_of(_Accumulate)(x, direction, grad_y, config, dtype)
    return grad


def vjp(x: Tensor, c: Tensor, grad_y: Tensor, config: SplineConfig) -> tuple[Tensor, Tensor]:
    """Return the gradients by x (B, I) and by the control points (I, K, O)."""
    both: tuple[Tensor, Tensor] = apply_of(_Vjp)(x, c, grad_y, config)
    return both


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor, direction: Tensor | None, c: Tensor, config: SplineConfig, dtype: torch.dtype
    ) -> Tensor:
        return _on(config, x, c.shape[2]).interpolate(x, direction, c, config, dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, direction, c, ctx.config, ctx.dtype = inputs
        ctx.save_for_backward(x, direction, c)
        ctx.save_for_forward(x, direction, c)

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, direction, c = ctx.saved_tensors
        of_x, of_direction, of_c, *_ = ctx.needs_input_grad
        if of_x and of_c and direction is None:
            by_x, by_c = vjp(x, c, grad_y, ctx.config)
            return by_x, None, by_c, None, None
        grad: Tensor | None = None
        if of_x if direction is None else of_direction:
            grad = contract(x, c, grad_y, ctx.config, x.dtype)
        grad_c = accumulate(x, direction, grad_y, ctx.config, c.dtype) if of_c else None
        return *((grad, None) if direction is None else (None, grad)), grad_c, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dv: Tensor | None, dc: Tensor | None, *_: None) -> Tensor:
        x, direction, c = ctx.saved_tensors
        along, wide = dx if direction is None else dv, compute_dtype(ctx.dtype)
        return _sum(
            interpolate(x, along, c, ctx.config, wide) if along is not None else None,
            interpolate(x, direction, dc, ctx.config, wide) if dc is not None else None,
            like=x.new_zeros((), dtype=ctx.dtype).expand(x.shape[0], c.shape[2]),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        x_dim, direction_dim, c_dim, *_ = in_dims
        if c_dim is None and x_dim is not None and (args[1] is None or direction_dim is not None):
            return fold_into_batch(interpolate, info.batch_size, in_dims, args)
        return one_by_one(interpolate, info.batch_size, in_dims, args)


class _Contract(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor, c: Tensor, grad_y: Tensor, config: SplineConfig, dtype: torch.dtype
    ) -> Tensor:
        return _on(config, x, c.shape[2]).contract(x, c, grad_y, config, dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, c, grad_y, ctx.config, ctx.dtype = inputs
        ctx.save_for_backward(x, c, grad_y)
        ctx.save_for_forward(x, c, grad_y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, c, grad_y = ctx.saved_tensors
        grad_c = grad_gy = None
        if ctx.needs_input_grad[1]:
            grad_c = accumulate(x, grad, grad_y, ctx.config, c.dtype)
        if ctx.needs_input_grad[2]:
            grad_gy = interpolate(x, grad, c, ctx.config, grad_y.dtype)
        return None, grad_c, grad_gy, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dc: Tensor | None, dgy: Tensor | None, *_: None) -> Tensor:
        return _contract_tangent(ctx.saved_tensors, ctx.config, ctx.dtype, dc, dgy)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        x_dim, c_dim, gy_dim, *_ = in_dims
        if c_dim is None and x_dim is not None and gy_dim is not None:
            return fold_into_batch(contract, info.batch_size, in_dims, args)
        return one_by_one(contract, info.batch_size, in_dims, args)


class _Accumulate(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
    ) -> Tensor:
        return _on(config, x, grad_y.shape[1]).accumulate(x, direction, grad_y, config, dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, direction, grad_y, ctx.config, ctx.dtype = inputs
        ctx.save_for_backward(x, direction, grad_y)
        ctx.save_for_forward(x, direction, grad_y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, direction, grad_y = ctx.saved_tensors
        slope = grad_gy = None
        if ctx.needs_input_grad[0 if direction is None else 1]:
            slope = contract(x, grad, grad_y, ctx.config, x.dtype)
        if ctx.needs_input_grad[2]:
            grad_gy = interpolate(x, direction, grad, ctx.config, grad_y.dtype)
        by_position = (slope, None) if direction is None else (None, slope)
        return *by_position, grad_gy, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dv: Tensor | None, dgy: Tensor | None, *_: None) -> Tensor:
        along = dx if ctx.saved_tensors[1] is None else dv
        return _accumulate_tangent(ctx.saved_tensors, ctx.config, ctx.dtype, along, dgy)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        return one_by_one(accumulate, info.batch_size, in_dims, args)


class _Vjp(torch.autograd.Function):
    @staticmethod
    def forward(
        x: Tensor, c: Tensor, grad_y: Tensor, config: SplineConfig
    ) -> tuple[Tensor, Tensor]:
        impl = _on(config, x, c.shape[2])
        if impl.vjp is not None:
            return impl.vjp(x, c, grad_y, config)
        return (
            impl.contract(x, c, grad_y, config, x.dtype),
            impl.accumulate(x, None, grad_y, config, c.dtype),
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, c, grad_y, ctx.config = inputs
        ctx.save_for_backward(x, c, grad_y)
        ctx.save_for_forward(x, c, grad_y)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None, direction: Tensor | None) -> tuple[Tensor | None, ...]:
        x, c, grad_y = ctx.saved_tensors
        of_x, of_c, of_gy, _ = ctx.needs_input_grad
        by_x = by_c = by_gy = None
        if of_x and direction is not None:
            by_x = contract(x, direction, grad_y, ctx.config, x.dtype)
        if of_c and v is not None:
            by_c = accumulate(x, v, grad_y, ctx.config, c.dtype)
        if of_gy:
            wide = compute_dtype(grad_y.dtype)
            by_gy = _sum(
                interpolate(x, v, c, ctx.config, wide) if v is not None else None,
                interpolate(x, None, direction, ctx.config, wide)
                if direction is not None
                else None,
                like=grad_y,
            )
        return by_x, by_c, by_gy, None

    @staticmethod
    def jvp(
        ctx: Any, dx: Tensor | None, dc: Tensor | None, dgy: Tensor | None, *_: None
    ) -> tuple[Tensor, Tensor]:
        x, c, grad_y = ctx.saved_tensors
        return (
            _contract_tangent((x, c, grad_y), ctx.config, x.dtype, dc, dgy),
            _accumulate_tangent((x, None, grad_y), ctx.config, c.dtype, dx, dgy),
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *args: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        pairs = each(vjp, info.batch_size, in_dims, args)
        return tuple(map(torch.stack, zip(*pairs, strict=True))), (0, 0)


def _contract_tangent(
    saved: Saved, config: SplineConfig, dtype: torch.dtype, dc: Tensor | None, dgy: Tensor | None
) -> Tensor:
    """Return the tangent of `contract` at (x, c, gy), which does not depend on that of x."""
    (x, c, grad_y), wide = saved, compute_dtype(dtype)
    return _sum(
        contract(x, dc, grad_y, config, wide) if dc is not None else None,
        contract(x, c, dgy, config, wide) if dgy is not None else None,
        like=x.to(dtype),
    )


def _accumulate_tangent(
    saved: Saved, config: SplineConfig, dtype: torch.dtype, along: Tensor | None, dgy: Tensor | None
) -> Tensor:
    """Return the tangent of `accumulate` at (x, v, gy); `along` is that of v, or of x without v."""
    (x, direction, grad_y), wide = saved, compute_dtype(dtype)
    shape = (x.shape[1], config.grid.num_control_points, grad_y.shape[1])
    return _sum(
        accumulate(x, along, grad_y, config, wide) if along is not None else None,
        accumulate(x, direction, dgy, config, wide) if dgy is not None else None,
        like=x.new_zeros((), dtype=dtype).expand(shape),
    )


def _sum(first: Tensor | None, second: Tensor | None, like: Tensor) -> Tensor:
    """Add two terms of which either may be absent, and round once, to the dtype of `like`."""
    if first is None or second is None:
        present = first if second is None else second
        return torch.zeros_like(like) if present is None else present.to(like.dtype)
    return (first + second).to(like.dtype)
