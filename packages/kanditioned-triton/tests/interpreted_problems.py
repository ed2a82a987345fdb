"""Problems for tests under Triton's interpreter, and the comparison with the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanditioned_spec import numerics, reference
from kanditioned_triton.torch import registered

assert registered.device_type == "cuda"
operators = torch.ops.kanditioned_triton

torch.set_num_threads(1)
WIDTH = 4.0


def arguments(
    shape: tuple[int, int, int, int], dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x (B, I), direction (B, I), control points (I, K, O) and grad_y (B, O)."""
    batch, in_features, count, out_features = shape
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.rand(batch, in_features, generator=generator) * 6 - 3
    u = (x + WIDTH / 2) * (count - 1) / WIDTH
    near = (u - u.round()).abs() < 0.05  # rounding might carry these across a knot
    x = torch.where(near, x + 0.25 * WIDTH / (count - 1), x)
    others = ((batch, in_features), (in_features, count, out_features), (batch, out_features))
    v, c, gy = (torch.randn(size, generator=generator) for size in others)
    x, v, c, gy = (tensor.to(dtype) for tensor in (x, v, c, gy))
    return x, v, c, gy


def exact(*tensors: Tensor) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    return [tensor.double().numpy() for tensor in tensors]


def agree(got: Tensor, want: Any, condition: Any, dtype: str, operands: str | None = None) -> None:
    bound = numerics.tolerance(condition, want, dtype, operands)
    error = np.abs(got.double().numpy() - want)
    assert (error <= bound).all(), f"{(error / bound).max():.3g} times the bound"


def check_all(
    x: Tensor,
    v: Tensor,
    c: Tensor,
    gy: Tensor,
    precision: str = "highest",
    operands: str | None = None,
) -> None:
    """Compare the three contractions, and two of them along a direction, with the reference."""
    dtype = torch.promote_types(torch.float32, torch.promote_types(x.dtype, c.dtype))
    name = str(dtype).removeprefix("torch.")
    share = numerics.position_share(name, operands)
    x64, v64, c64, gy64 = exact(x, v, c, gy)
    settings = (WIDTH, dtype, precision)

    y = operators.interpolate(x, None, c, *settings)
    condition = numerics.forward_condition(x64, c64, WIDTH, share)
    agree(y, reference.forward(x64, c64, WIDTH), condition, name, operands)

    along = operators.interpolate(x, v, c, *settings)
    condition = numerics.jvp_condition(x64, c64, WIDTH, v64)
    agree(along, reference.jvp(x64, c64, WIDTH, v64), condition, name, operands)

    want = reference.vjp(x64, c64, WIDTH, gy64)
    conditions = numerics.vjp_condition(x64, c64, WIDTH, gy64, share)
    gx = operators.contract(x, c, gy, *settings)
    agree(gx, want.x, conditions.x, name, operands)
    gc = operators.accumulate(x, None, gy, c.shape[1], *settings)
    agree(gc, want.control_points, conditions.control_points, name, operands)

    zero = np.zeros_like(c64)
    mixed = reference.vjp_of_vjp(x64, c64, WIDTH, gy64, v64, zero).control_points
    size = numerics.vjp_of_vjp_condition(x64, c64, WIDTH, gy64, v64, zero).control_points
    agree(operators.accumulate(x, v, gy, c.shape[1], *settings), mixed, size, name, operands)
