"""The kernels as PyTorch operators, and the implementation `impl="cpu"` made of them.

The operators are opaque to torch.compile, which takes their results' shapes and dtypes from the
functions registered as fakes. They have no derivatives of their own: those are the same operators
again, and `kanditioned_torch.autograd` says which. They are defined with `torch.library.Library`,
whose calls cost 4 µs where those of `torch.library.custom_op` cost 20 (torch 2.13, Zen 4, 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kanditioned_torch.impls import Impl

from . import native


def interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return Σ_i s(x), or along a direction v (B, I) the derivative Σ_i v s'(x): (B, O)."""
    y: Tensor = _OPS.interpolate.default(x, direction, control_points, spline_width, dtype)
    return y


def contract(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return Σ_o gy s'(x), the gradient by x: (B, I)."""
    grad: Tensor = _OPS.contract.default(x, control_points, grad_y, spline_width, dtype)
    return grad


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
    grad: Tensor = _OPS.accumulate.default(
        x, direction, grad_y, num_control_points, spline_width, dtype
    )
    return grad


def vjp(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, precision: str
) -> tuple[Tensor, Tensor]:
    """Return both gradients, in the dtypes of x and of the control points."""
    grads: tuple[Tensor, Tensor] = _OPS.vjp.default(x, control_points, grad_y, spline_width)
    return grads


def _interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    compute = _compute_dtype(x, direction, control_points)
    x, c = _as(x, compute), _contiguous(control_points, compute)
    v = None if direction is None else _as(direction, compute)
    y = x.new_empty(x.shape[0], c.shape[2])
    native.interpolate(
        _NAMES[compute],
        _size(x, c, spline_width),
        _matrix(x),
        None if v is None else _matrix(v),
        c.data_ptr(),
        y.data_ptr(),
        torch.get_num_threads(),
    )
    return _as(y, dtype)


def _contract(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, dtype: torch.dtype
) -> Tensor:
    compute = _compute_dtype(x, control_points, grad_y)
    x, c, gy = _as(x, compute), _contiguous(control_points, compute), _contiguous(grad_y, compute)
    grad_x = x.new_empty(x.shape)
    native.gradients(
        _NAMES[compute],
        _size(x, c, spline_width),
        _matrix(x),
        None,
        c.data_ptr(),
        gy.data_ptr(),
        grad_x.data_ptr(),
        None,
        torch.get_num_threads(),
    )
    return _as(grad_x, dtype)


def _accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    compute = _compute_dtype(x, direction, grad_y)
    x, gy = _as(x, compute), _contiguous(grad_y, compute)
    v = None if direction is None else _as(direction, compute)
    grad_c = x.new_empty(x.shape[1], num_control_points, gy.shape[1])
    native.gradients(
        _NAMES[compute],
        _size(x, grad_c, spline_width),
        _matrix(x),
        None if v is None else _matrix(v),
        None,
        gy.data_ptr(),
        None,
        grad_c.data_ptr(),
        torch.get_num_threads(),
    )
    return _as(grad_c, dtype)


def _vjp(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float
) -> tuple[Tensor, Tensor]:
    compute = _compute_dtype(x, control_points, grad_y)
    wide_x, gy = _as(x, compute), _contiguous(grad_y, compute)
    c = _contiguous(control_points, compute)
    grad_x, grad_c = wide_x.new_empty(x.shape), c.new_empty(c.shape)
    native.gradients(
        _NAMES[compute],
        _size(x, c, spline_width),
        _matrix(wide_x),
        None,
        c.data_ptr(),
        gy.data_ptr(),
        grad_x.data_ptr(),
        grad_c.data_ptr(),
        torch.get_num_threads(),
    )
    return _as(grad_x, x.dtype), _as(grad_c, control_points.dtype)


def _compute_dtype(*tensors: Tensor | None) -> torch.dtype:
    for tensor in tensors:
        if tensor is not None and tensor.dtype is torch.float64:
            return torch.float64
    return torch.float32


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert where need be: `to` takes 0.7 µs to find that there is nothing to do."""
    return tensor if tensor.dtype is dtype else tensor.to(dtype)


def _contiguous(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return _as(tensor, dtype).contiguous()


def _matrix(x: Tensor) -> native.Matrix:
    """Describe inputs (B, I), which must outlive the call."""
    row, column = x.stride()
    return native.Matrix(x.data_ptr(), row, column)


def _size(x: Tensor, control_points: Tensor, spline_width: float) -> native.Size:
    in_features, count, out_features = control_points.shape
    return native.Size(x.shape[0], in_features, count, out_features, spline_width)


def _fake_interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    return x.new_empty(x.shape[0], control_points.shape[2], dtype=dtype)


def _fake_contract(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, dtype: torch.dtype
) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype)


def _fake_accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    return x.new_empty(x.shape[1], num_control_points, grad_y.shape[1], dtype=dtype)


def _fake_vjp(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float
) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), control_points.new_empty(control_points.shape)


def _define(schema: str, kernel: Callable[..., object], fake: Callable[..., object]) -> None:
    name = _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
    _LIBRARY.impl(name, kernel, "CPU")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"kanditioned_cpu::{name}", fake, lib=_LIBRARY)


_NAMES = {torch.float32: "float32", torch.float64: "float64"}
_LIBRARY = torch.library.Library("kanditioned_cpu", "DEF")  # type: ignore[no-untyped-call]
_OPS = torch.ops.kanditioned_cpu

_define(
    "interpolate(Tensor x, Tensor? direction, Tensor control_points, float spline_width, "
    "ScalarType dtype) -> Tensor",
    _interpolate,
    _fake_interpolate,
)
_define(
    "contract(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, "
    "ScalarType dtype) -> Tensor",
    _contract,
    _fake_contract,
)
_define(
    "accumulate(Tensor x, Tensor? direction, Tensor grad_y, SymInt num_control_points, "
    "float spline_width, ScalarType dtype) -> Tensor",
    _accumulate,
    _fake_accumulate,
)
_define(
    "vjp(Tensor x, Tensor control_points, Tensor grad_y, float spline_width) -> (Tensor, Tensor)",
    _vjp,
    _fake_vjp,
)
native.share_threads_of_openmp()
impl = Impl(interpolate, contract, accumulate, vjp)
