"""The kernels as PyTorch operators, and the implementation `impl="cpu"` made of them.

`kanditioned_torch` finds `registered` by this package's entry point.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from kanditioned_spec import Grid
from kanditioned_torch.impls.native import define
from kanditioned_torch.impls.shaping import FREE, Shaping, shapes_of

from . import native, shapes


def _interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    compute = _compute_dtype(x, direction, control_points)
    x, c = _as(x, compute), _contiguous(control_points, compute)
    v = None if direction is None else _as(direction, compute)
    layout = _layout(x, v, c.shape, spline_width)
    y = x.new_empty(layout.batch, layout.out_features)
    along = None if v is None else v.data_ptr()
    native.interpolate(_NAMES[compute], layout, x.data_ptr(), along, c.data_ptr(), y.data_ptr())
    return _as(y, dtype)


def _direct(x: Tensor, control_points: Tensor, grid: Grid) -> Tensor:
    c = control_points.contiguous()
    layout = _layout(x, None, c.shape, grid.spline_width)
    y = x.new_empty(layout.batch, layout.out_features)
    native.interpolate(_NAMES[x.dtype], layout, x.data_ptr(), None, c.data_ptr(), y.data_ptr())
    return y


def _contract(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    compute = _compute_dtype(x, control_points, grad_y)
    x, c, gy = _as(x, compute), _contiguous(control_points, compute), _contiguous(grad_y, compute)
    grad_x = x.new_empty(x.shape)
    native.gradients(
        _NAMES[compute],
        _layout(x, None, c.shape, spline_width),
        x.data_ptr(),
        None,
        c.data_ptr(),
        gy.data_ptr(),
        grad_x.data_ptr(),
        None,
    )
    return _as(grad_x, dtype)


def _accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    compute = _compute_dtype(x, direction, grad_y)
    x, gy = _as(x, compute), _contiguous(grad_y, compute)
    v = None if direction is None else _as(direction, compute)
    grad_c = x.new_empty(x.shape[1], num_control_points, gy.shape[1])
    native.gradients(
        _NAMES[compute],
        _layout(x, v, grad_c.shape, spline_width),
        x.data_ptr(),
        None if v is None else v.data_ptr(),
        None,
        gy.data_ptr(),
        None,
        grad_c.data_ptr(),
    )
    return _as(grad_c, dtype)


def _vjp(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, precision: str
) -> tuple[Tensor, Tensor]:
    compute = _compute_dtype(x, control_points, grad_y)
    wide_x, gy = _as(x, compute), _contiguous(grad_y, compute)
    c = _contiguous(control_points, compute)
    grad_x, grad_c = wide_x.new_empty(x.shape), c.new_empty(c.shape)
    native.gradients(
        _NAMES[compute],
        _layout(wide_x, None, c.shape, spline_width),
        wide_x.data_ptr(),
        None,
        c.data_ptr(),
        gy.data_ptr(),
        grad_x.data_ptr(),
        grad_c.data_ptr(),
    )
    return _as(grad_x, x.dtype), _as(grad_c, control_points.dtype)


def _apply_shapes(control_points: Tensor, signs: str) -> tuple[Tensor, Tensor]:
    c = control_points.contiguous()
    points = torch.empty_like(c)
    marked = len(signs) - signs.count(FREE)
    marks = torch.empty((marked, *c.shape[1:]), dtype=torch.uint8)
    _shape(signs, shapes.POINTS, c, points, marks)
    return points, marks


def _shapes_jvp(marks: Tensor, moved: Tensor, signs: str, transposed: bool) -> Tensor:
    v = moved.contiguous()
    result = torch.empty_like(v)
    wanted = shapes.GRADIENT if transposed else shapes.TANGENT
    _shape(signs, wanted, v, result, marks.contiguous())
    return result


def _shape(signs: str, wanted: int, free: Tensor, points: Tensor, marks: Tensor) -> None:
    _, count, out_features = free.shape
    arguments = _arguments(signs, count, out_features, torch.get_num_threads())
    addresses = free.data_ptr(), points.data_ptr(), marks.data_ptr()
    shapes.shape(_NAMES[free.dtype], arguments, wanted, *addresses)


@functools.lru_cache(maxsize=256)
def _arguments(signs: str, count: int, out_features: int, threads: int) -> shapes.Arguments:
    return shapes.arguments(shapes_of(signs), count, out_features, threads)


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


def _layout(
    x: Tensor, direction: Tensor | None, shape: torch.Size, spline_width: float
) -> native.Layout:
    along = None if direction is None else direction.stride()
    threads = torch.get_num_threads()
    return native.layout(x.shape[0], shape, spline_width, x.stride(), along, threads)


_NAMES = {torch.float32: "float32", torch.float64: "float64"}
native.share_threads_of_openmp()
registered = define(
    "kanditioned_cpu",
    "CPU",
    "cpu",
    {"interpolate": _interpolate, "contract": _contract, "accumulate": _accumulate, "vjp": _vjp},
    _direct,
    Shaping(_apply_shapes, _shapes_jvp, shapes.MOST_CONTROL_POINTS),
)
