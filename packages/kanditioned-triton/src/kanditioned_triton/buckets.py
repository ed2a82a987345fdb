"""The batch of each feature sorted by tile of knots, for the gradient by many control points."""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import configs, kernels
from .configs import ceil_div


def sort_batch(
    x: Tensor, num_control_points: int, spline_width: int, compute: tl.dtype, knots: int
) -> tuple[Tensor, Tensor]:
    """Return samples by key, (I, B), and where each key starts, (I, keys, parts of the batch).

    Args:
        x: Inputs (B, I).
        num_control_points: Number of control points of each function, K.
        spline_width: Its bits, as kernels take it.
        compute: Dtype of positions.
        knots: Of a tile; `kernels.bucket` says what the keys are.
    """
    batch, in_features = x.shape
    num_keys, parts = 2 * ceil_div(num_control_points, knots), ceil_div(batch, configs.PART)
    counts = x.new_empty(in_features, num_keys, parts, dtype=torch.int32)
    order = x.new_empty(in_features, batch, dtype=torch.int32)
    block_k = min(configs.SORT.block_o, configs.power_of_two(num_keys))
    sizes = (batch, num_control_points, num_keys, parts, *x.stride(), spline_width)
    constants = (compute, knots, configs.PART, configs.SORT.block_b, block_k)
    kernels.count_keys[(in_features * parts,)](x, counts, *sizes, *constants)
    flat = counts.view(in_features, num_keys * parts)
    starts = (flat.cumsum(1, dtype=torch.int32) - flat).view_as(counts)
    kernels.place_samples[(in_features * parts,)](x, starts, order, *sizes, *constants)
    return order, starts
