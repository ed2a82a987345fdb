"""What an implementation is: three contractions of one trilinear form.

Let l be the interval of x[b, i], Δ_l = c_{l+1} - c_l, and w a weight per (b, i). The form

    F(w, c, gy) = Σ_{b,i,o} gy[b, o] (affine · c[i, l, o] + w[b, i] Δ_l[i, o])

gives the layer (w = t, affine) and its directional derivative (w = v/h, not affine). An
implementation contracts it over all but one argument:

    interpolate   ∂F/∂gy    Σ_i affine · c_l + w Δ_l                     (B, O)
    contract      ∂F/∂w     Σ_o gy Δ_l                                   (B, I)
    accumulate    ∂F/∂c     (affine - w) gy onto c_l, w gy onto c_{l+1}  (I, K, O)

Each is a derivative of the others, so these three suffice for derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK_BYTES = 2**20
"""Temporaries in eager mode are kept near this size: in cache, and below the size from which the
C allocator maps fresh pages for every call (0.3 ms per MiB, glibc 2.36, 2026-11)."""

Interpolate = Callable[[Tensor, Tensor, Tensor, bool], Tensor]
Contract = Callable[[Tensor, Tensor, Tensor], Tensor]
Accumulate = Callable[[Tensor, Tensor, Tensor, int, bool], Tensor]


@dataclass(frozen=True)
class Impl:
    """One way to evaluate the form.

    Shapes: interval and weight (B, I), control_points (I, K, O) contiguous, grad_y (B, O). All
    floating tensors share one dtype, float32 or float64.

    Attributes:
        interpolate: `(interval, weight, control_points, affine) -> (B, O)`.
        contract: `(interval, control_points, grad_y) -> (B, I)`.
        accumulate: `(interval, weight, grad_y, num_control_points, affine) -> (I, K, O)`.
    """

    interpolate: Interpolate
    contract: Contract
    accumulate: Accumulate


def rows(interval: Tensor, num_control_points: int) -> Tensor:
    """Return the row i K + l of every interval in a table (I K, O) of control points."""
    features = torch.arange(interval.shape[1], dtype=interval.dtype, device=interval.device)
    return interval + features * num_control_points


def table(control_points: Tensor) -> Tensor:
    """View control points (I, K, O) as a table with a row per knot, (I K, O)."""
    return control_points.reshape(-1, control_points.shape[2])


def slices(length: int, bytes_each: int) -> Iterator[slice]:
    """Cut an axis into pieces whose temporaries stay near `CHUNK_BYTES`.

    Under torch.compile there is one piece: the compiler fuses the temporaries away, and `length`
    may be symbolic.
    """
    if torch.compiler.is_compiling():
        yield slice(None)
        return
    step = max(1, CHUNK_BYTES // max(1, bytes_each))
    for start in range(0, length, step):
        yield slice(start, start + step)


def add_infinite(y: Tensor, weight: Tensor, control_points: Tensor) -> Tensor:
    """Add ±inf · Δ of the end intervals, for forms that weigh c_l and c_{l+1} apart.

    Their (1 - t) c_l + t c_{l+1} is inf - inf where the value formula c_l + t Δ is infinite, so
    they leave infinite inputs out and add this. It costs a look at the weights; on other devices
    and in compiled graphs, where looking would synchronise, two small matrix products.
    """
    if weight.is_cpu and not torch.compiler.is_compiling() and not weight.isinf().any():
        return y
    infinite = torch.where(weight.isinf(), weight, 0)
    first = control_points[:, 1] - control_points[:, 0]
    last = control_points[:, -1] - control_points[:, -2]
    return y + infinite.clamp(max=0) @ first + infinite.clamp(min=0) @ last
