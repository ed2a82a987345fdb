"""Values of the kernels at any size, by samples: sub-problems that the reference takes as they are.

A value of y needs one row of x and one column of C; one of the gradient by x needs one feature of C
and one row of grad_y; the gradient by C needs one feature of x and one column of grad_y. Samples
are one row or column of each small range, so that they meet every tile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanditioned_spec import numerics, reference

from . import device, launch

WIDTH = 4.0
NEAR = 1e-3
"""Inputs are kept this far from knots, in knot units: derivatives jump there."""
OPERANDS = {"medium": "bfloat16", "high": "tfloat32", "highest": None}


@dataclass(frozen=True)
class Problem:
    """Arguments of the contractions.

    Attributes:
        x: Inputs (B, I).
        v: A direction (B, I).
        c: Control points (I, K, O).
        gy: Gradient by y (B, O).
    """

    x: Tensor
    v: Tensor
    c: Tensor
    gy: Tensor

    @classmethod
    def random(cls, shape: tuple[int, int, int], count: int, dtype: str) -> Problem:
        """Return random arguments, with no input near a knot."""
        batch, inputs, outputs = shape
        kind = getattr(torch, dtype)
        generator = torch.Generator(device.KIND).manual_seed(count)

        def normal(*size: int) -> Tensor:
            return torch.randn(size, generator=generator, device=device.KIND).to(kind)

        x, spacing = normal(batch, inputs), WIDTH / (count - 1)
        for _ in range(4):  # rounding to bfloat16 may carry one near the next knot
            u = (x.double() + WIDTH / 2) / spacing
            x = torch.where((u - u.round()).abs() < NEAR, (x + 0.3 * spacing).to(kind), x)
        sizes = ((batch, inputs), (inputs, count, outputs), (batch, outputs))
        return cls(x, *(normal(*size) for size in sizes))

    def calls(self, precision: str) -> dict[str, Callable[[], Tensor]]:
        """Return the contractions by name."""
        x, v, c, gy, count = self.x, self.v, self.c, self.gy, self.c.shape[1]
        last = (WIDTH, x.dtype, precision)
        return {
            "interpolate": lambda: launch.interpolate(x, None, c, *last),
            "contract": lambda: launch.contract(x, c, gy, *last),
            "accumulate": lambda: launch.accumulate(x, None, gy, count, *last),
            "interpolate along": lambda: launch.interpolate(x, v, c, *last),
            "accumulate along": lambda: launch.accumulate(x, v, gy, count, *last),
        }


def ratio(problem: Problem, name: str, got: Tensor, precision: str) -> float:
    """Return the largest error of a contraction in units of the bound; infinity if NaN is in it.

    Args:
        problem: The arguments.
        name: Of the contraction.
        got: Its result.
        precision: It was asked for.
    """
    if not bool(torch.isfinite(got).all()):
        return float("inf")
    dtype = str(problem.x.dtype).removeprefix("torch.")
    operands = OPERANDS[precision]
    got_some, want, condition = _SAMPLED[name](
        problem, got, numerics.position_share(dtype, operands)
    )
    bound = numerics.tolerance(condition, want, dtype, operands)
    return float(np.max(np.abs(got_some - want) / bound))


def _some(length: int, number: int) -> Tensor:
    """Return about `number` indices, one of each range of the same length."""
    each = max(1, length // number)
    starts = torch.arange(0, length, each)
    offsets = torch.randint(0, each, starts.shape, generator=torch.Generator().manual_seed(length))
    return (starts + offsets).clamp(max=length - 1).to(device.KIND)


def _exact(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return tensor.double().cpu().numpy()


def _interpolate(p: Problem, y: Tensor, share: float) -> tuple[Any, Any, Any]:
    rows, outs = _some(len(p.x), 64), _some(p.c.shape[2], 32)
    x, c = _exact(p.x[rows]), _exact(p.c[:, :, outs])
    want = reference.forward(x, c, WIDTH)
    return _exact(y[rows][:, outs]), want, numerics.forward_condition(x, c, WIDTH, share)


def _interpolate_along(p: Problem, y: Tensor, share: float) -> tuple[Any, Any, Any]:
    rows, outs = _some(len(p.x), 64), _some(p.c.shape[2], 32)
    x, c, v = _exact(p.x[rows]), _exact(p.c[:, :, outs]), _exact(p.v[rows])
    want = reference.jvp(x, c, WIDTH, v)
    return _exact(y[rows][:, outs]), want, numerics.jvp_condition(x, c, WIDTH, v)


def _contract(p: Problem, gx: Tensor, share: float) -> tuple[Any, Any, Any]:
    rows, features = _some(len(p.x), 128), _some(p.x.shape[1], 16)
    x, c, gy = _exact(p.x[rows][:, features]), _exact(p.c[features]), _exact(p.gy[rows])
    want = reference.vjp(x, c, WIDTH, gy).x
    condition = numerics.vjp_condition(x, c, WIDTH, gy, share).x
    return _exact(gx[rows][:, features]), want, condition


def _accumulate(p: Problem, gc: Tensor, share: float) -> tuple[Any, Any, Any]:
    features, outs = _some(p.x.shape[1], 8), _some(p.c.shape[2], 16)
    x, c, gy = _exact(p.x[:, features]), _exact(p.c[features][:, :, outs]), _exact(p.gy[:, outs])
    want = reference.vjp(x, c, WIDTH, gy).control_points
    condition = numerics.vjp_condition(x, c, WIDTH, gy, share).control_points
    return _exact(gc[features][:, :, outs]), want, condition


def _accumulate_along(p: Problem, gc: Tensor, share: float) -> tuple[Any, Any, Any]:
    features, outs = _some(p.x.shape[1], 8), _some(p.c.shape[2], 16)
    x, v, gy = _exact(p.x[:, features]), _exact(p.v[:, features]), _exact(p.gy[:, outs])
    c = np.zeros((len(features), p.c.shape[1], len(outs)))
    want = reference.vjp_of_vjp(x, c, WIDTH, gy, v, c).control_points
    condition = numerics.vjp_of_vjp_condition(x, c, WIDTH, gy, v, c, share).control_points
    return _exact(gc[features][:, :, outs]), want, condition


_SAMPLED = {
    "interpolate": _interpolate,
    "contract": _contract,
    "accumulate": _accumulate,
    "interpolate along": _interpolate_along,
    "accumulate along": _accumulate_along,
}
