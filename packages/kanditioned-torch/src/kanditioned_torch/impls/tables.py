"""Pieces that the stock implementations share: row tables, chunking, infinite weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..grid import is_infinite
from ..tracing import is_traced

CHUNK_BYTES = 2**20
"""Temporaries in eager mode are kept near this size: in cache, and below the size from which the
C allocator maps fresh pages for every call (0.3 ms per MiB, glibc 2.36, 2026-11)."""


def rows(interval: Tensor, num_control_points: int) -> Tensor:
    """Return the row i K + l of every interval in a table (I K, O) of control points."""
    features = torch.arange(interval.shape[1], dtype=interval.dtype, device=interval.device)
    return interval + features * num_control_points


def table(control_points: Tensor) -> Tensor:
    """View control points (I, K, O) as a table with a row per knot, (I K, O)."""
    return control_points.flatten(0, 1)


def slices(length: int, bytes_each: int) -> Iterator[slice]:
    """Cut an axis into pieces whose temporaries stay near `CHUNK_BYTES`.

    Under torch.compile there is one piece: the compiler fuses the temporaries away, and `length`
    may be symbolic.
    """
    if is_traced():
        yield slice(None)
        return
    step = max(1, CHUNK_BYTES // max(1, bytes_each))
    for start in range(0, length, step):
        yield slice(start, start + step)


def in_pieces(
    function: Callable[[slice], Tensor], like: Tensor, shape: tuple[int, int], bytes_each: int
) -> Tensor:
    """Evaluate a function of slices of the batch, and put the results one below the other.

    Args:
        function: Returns the rows of a slice.
        like: A tensor of the dtype and on the device of the result.
        shape: Of the result, the batch first.
        bytes_each: Size of the function's temporaries for one row.
    """
    if is_traced():  # a copy into an empty tensor would hide the shape from exporters
        return function(slice(None))
    result = like.new_empty(shape)
    for part in slices(shape[0], bytes_each):
        result[part] = function(part)
    return result


def with_infinite(
    product: Callable[[Tensor], Tensor], weight: Tensor, control_points: Tensor
) -> Tensor:
    """Evaluate Σ (1 - w) c_l + w c_{l+1} where weights may be infinite.

    There it is inf - inf, while the value formula c_l + w Δ is infinite. Infinite inputs are in an
    end interval, so they are left out of `product` and w Δ is added for them.

    Args:
        product: Maps weights (B, I) to the sum, (B, O).
        weight: Fractions, of which some may be infinite.
        control_points: Shape (I, K, O).
    """
    looks = weight.is_cpu and not is_traced()  # other devices would be waited for
    if looks and math.isfinite(weight.sum().item()):
        return product(weight)
    return correct_non_finite(product, weight, control_points)


def correct_non_finite(
    product: Callable[[Tensor], Tensor], weight: Tensor, control_points: Tensor
) -> Tensor:
    """Evaluate `with_infinite` without looking at the weights."""
    is_inf = is_infinite(weight)
    infinite = torch.where(is_inf, weight, 0)
    first = control_points[:, 1] - control_points[:, 0]
    last = control_points[:, -1] - control_points[:, -2]
    y = product(torch.where(is_inf, 0, weight))
    return y + (infinite.clamp(max=0) @ first + infinite.clamp(min=0) @ last)
