"""The kernels as PyTorch operators, and the implementation `impl="cpu"` made of them.

The operators are opaque to torch.compile, which takes their results' shapes and dtypes from the
functions registered as fakes. They have no derivatives of their own: those are the same operators
again, and `kanditioned_torch.autograd` says which. They are defined with `torch.library.Library`,
whose calls cost 4 µs where those of `torch.library.custom_op` cost 20 (torch 2.13, Zen 4, 2026-11).
"""

from __future__ import annotations

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
    x, c = x.to(compute), _contiguous(control_points, compute)
    v = None if direction is None else direction.to(compute)
    y = x.new_empty(x.shape[0], c.shape[2])
    native.interpolate(
        _NAMES[compute],
        native.Size(x.shape[0], *c.shape, spline_width),
        _matrix(x),
        None if v is None else _matrix(v),
        c.data_ptr(),
        y.data_ptr(),
        torch.get_num_threads(),
    )
    return y.to(dtype)


def _contract(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, dtype: torch.dtype
) -> Tensor:
    compute = _compute_dtype(x, control_points, grad_y)
    x, c, gy = x.to(compute), _contiguous(control_points, compute), _contiguous(grad_y, compute)
    grad_x = x.new_empty(x.shape)
    native.gradients(
        _NAMES[compute],
        native.Size(x.shape[0], *c.shape, spline_width),
        _matrix(x),
        None,
        c.data_ptr(),
        gy.data_ptr(),
        grad_x.data_ptr(),
        None,
        torch.get_num_threads(),
    )
    return grad_x.to(dtype)


def _accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    compute = _compute_dtype(x, direction, grad_y)
    x, gy = x.to(compute), _contiguous(grad_y, compute)
    v = None if direction is None else direction.to(compute)
    grad_c = x.new_empty(x.shape[1], num_control_points, gy.shape[1])
    native.gradients(
        _NAMES[compute],
        native.Size(x.shape[0], *grad_c.shape, spline_width),
        _matrix(x),
        None if v is None else _matrix(v),
        None,
        gy.data_ptr(),
        None,
        grad_c.data_ptr(),
        torch.get_num_threads(),
    )
    return grad_c.to(dtype)


def _vjp(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float
) -> tuple[Tensor, Tensor]:
    compute = _compute_dtype(x, control_points, grad_y)
    wide_x, c = x.to(compute), _contiguous(control_points, compute)
    gy = _contiguous(grad_y, compute)
    grad_x, grad_c = wide_x.new_empty(x.shape), c.new_empty(c.shape)
    native.gradients(
        _NAMES[compute],
        native.Size(x.shape[0], *c.shape, spline_width),
        _matrix(wide_x),
        None,
        c.data_ptr(),
        gy.data_ptr(),
        grad_x.data_ptr(),
        grad_c.data_ptr(),
        torch.get_num_threads(),
    )
    return grad_x.to(x.dtype), grad_c.to(control_points.dtype)


def _compute_dtype(*tensors: Tensor | None) -> torch.dtype:
    wide = any(tensor is not None and tensor.dtype is torch.float64 for tensor in tensors)
    return torch.float64 if wide else torch.float32


def _contiguous(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype).contiguous()


def _matrix(x: Tensor) -> native.Matrix:
    """Describe inputs (B, I), which must outlive the call."""
    return native.Matrix(x.data_ptr(), *x.stride())


_NAMES = {torch.float32: "float32", torch.float64: "float64"}
_LIBRARY = torch.library.Library("kanditioned_cpu", "DEF")
_OPS = torch.ops.kanditioned_cpu
_LAYER = "Tensor x, Tensor? direction, Tensor control_points, float spline_width, ScalarType dtype"
for _schema, _kernel in (
    (f"interpolate({_LAYER}) -> Tensor", _interpolate),
    (
        "contract(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, "
        "ScalarType dtype) -> Tensor",
        _contract,
    ),
    (
        "accumulate(Tensor x, Tensor? direction, Tensor grad_y, SymInt num_control_points, "
        "float spline_width, ScalarType dtype) -> Tensor",
        _accumulate,
    ),
    (
        "vjp(Tensor x, Tensor control_points, Tensor grad_y, float spline_width) "
        "-> (Tensor, Tensor)",
        _vjp,
    ),
):
    _name = _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(_name, _kernel, "CPU")


@torch.library.register_fake("kanditioned_cpu::interpolate", lib=_LIBRARY)
def _(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    return x.new_empty(x.shape[0], control_points.shape[2], dtype=dtype)


@torch.library.register_fake("kanditioned_cpu::contract", lib=_LIBRARY)
def _(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, dtype: torch.dtype
) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype)


@torch.library.register_fake("kanditioned_cpu::accumulate", lib=_LIBRARY)
def _(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
) -> Tensor:
    return x.new_empty(x.shape[1], num_control_points, grad_y.shape[1], dtype=dtype)


@torch.library.register_fake("kanditioned_cpu::vjp", lib=_LIBRARY)
def _(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float
) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), control_points.new_empty(control_points.shape)


native.share_threads_of_openmp()
impl = Impl(interpolate, contract, accumulate, vjp)
