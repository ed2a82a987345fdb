"""Feasible control points by native kernels, as a differentiable function of the free ones.

Two functions: the points, and the linear map that they are almost everywhere. Each derivative is
that map or its transpose, so every mode and order of differentiation closes over the two.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from kanditioned_spec import Shapes

from . import selection
from .impls.shaping import Shaping, signs_of
from .plain import apply_of
from .tracing import assume_constant_result


@assume_constant_result
def native_signs(c: Tensor, shapes: Shapes) -> str | None:
    """Return the shapes as native kernels take them, if there are some for these points."""
    if c.dtype not in (torch.float32, torch.float64) or c.ndim != 3:
        return None
    shaping = selection.shaping(c.device.type)
    if shaping is None or c.shape[1] > shaping.most_control_points:
        return None
    return _signs(shapes)


def native_points(c: Tensor, signs: str) -> Tensor:
    """Return feasible control points of free ones (I, K, O)."""
    points: Tensor = apply_of(_Points)(c, signs)[0]
    return points


@assume_constant_result
def keep_whole() -> None:
    """Tell the compiler to take `native_points` as one operation."""
    torch.compiler.allow_in_graph(native_points)  # type: ignore[no-untyped-call]


@functools.lru_cache(maxsize=256)
def _signs(shapes: Shapes) -> str:
    return signs_of(shapes)


def _kernels(tensor: Tensor) -> Shaping:
    found = selection.shaping(tensor.device.type)
    assert found is not None
    return found


def _move(marks: Tensor, v: Tensor, signs: str, transposed: bool) -> Tensor:
    moved: Tensor = apply_of(_Moved)(marks, v, signs, transposed)
    return moved


class _Points(torch.autograd.Function):
    @staticmethod
    def forward(c: Tensor, signs: str) -> tuple[Tensor, Tensor]:
        return _kernels(c).points(c, signs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        marks, ctx.signs = output[1], inputs[1]
        ctx.mark_non_differentiable(marks)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(marks)
        ctx.save_for_forward(marks)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, None]:
        (marks,) = ctx.saved_tensors
        return None if grad is None else _move(marks, grad, ctx.signs, True), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> tuple[Tensor, None]:
        return _move(ctx.saved_tensors[0], tangent, ctx.signs, False), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], c: Tensor, signs: str) -> Any:
        size, dim = info.batch_size, in_dims[0]
        assert dim is not None
        both = apply_of(_Points)(_together(c, dim, size), signs * size)
        return tuple(each.reshape(size, -1, *each.shape[1:]) for each in both), (0, 0)


class _Moved(torch.autograd.Function):
    @staticmethod
    def forward(marks: Tensor, v: Tensor, signs: str, transposed: bool) -> Tensor:
        return _kernels(v).moved(marks, v, signs, transposed)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        marks, _, ctx.signs, ctx.transposed = inputs
        ctx.save_for_backward(marks)
        ctx.save_for_forward(marks)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None, None]:
        (marks,) = ctx.saved_tensors
        return None, _move(marks, grad, ctx.signs, not ctx.transposed), None, None

    @staticmethod
    def jvp(ctx: Any, _: None, tangent: Tensor, *__: None) -> Tensor:
        return _move(ctx.saved_tensors[0], tangent, ctx.signs, ctx.transposed)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        marks: Tensor,
        v: Tensor,
        signs: str,
        transposed: bool,
    ) -> tuple[Tensor, int]:
        size, (marks_dim, v_dim, *_) = info.batch_size, in_dims
        together = _together(marks, marks_dim, size), _together(v, v_dim, size)
        moved = _move(*together, signs * size, transposed)
        return moved.reshape(size, -1, *moved.shape[1:]), 0


def _together(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """Take what a tensor of control points is mapped over for more features."""
    first = tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return first.flatten(0, 1)
