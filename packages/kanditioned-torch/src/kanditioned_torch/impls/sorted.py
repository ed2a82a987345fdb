"""The batch bucketed by feature and interval, so that a bucket's gradient is one contiguous sum.

After a stable sort by row i K + l, the samples of a row are neighbours: with S₀ = Σ gy and
S₁ = Σ w gy over each bucket, the gradient is (affine S₀ - S₁) at l and S₁ at l + 1. Both sums are
embedding bags over gy, a bag per bucket: each row of the gradient is written once, in a fixed
order, without atomics.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .embedding_bag import stacked_bags
from .stock import stock
from .tables import slices


def accumulate(
    interval: Tensor, weight: Tensor, grad_y: Tensor, num_control_points: int, affine: bool
) -> Tensor:
    batch, in_features = interval.shape
    out_features = grad_y.shape[1]
    grad = grad_y.new_zeros(in_features, num_control_points, out_features)
    sample, bucket_weight, starts = _buckets(interval, weight, num_control_points)
    bytes_each = num_control_points * out_features * grad.element_size()
    for part in slices(in_features, bytes_each):
        first = part.start or 0
        last = in_features if part.stop is None else min(part.stop, in_features)
        offsets = starts[first * num_control_points : last * num_control_points] - first * batch
        inside = slice(first * batch, last * batch)
        bag = (sample[inside], grad_y, offsets)
        weighted = F.embedding_bag(*bag, mode="sum", per_sample_weights=bucket_weight[inside])
        weighted = torch.unflatten(weighted, 0, (-1, num_control_points))
        if affine:
            sums = F.embedding_bag(*bag, mode="sum").view_as(weighted)
            torch.sub(sums, weighted, out=grad[part])
        else:
            torch.neg(weighted, out=grad[part])
        grad[part, 1:] += weighted[:, :-1]
    return grad


def _buckets(
    interval: Tensor, weight: Tensor, num_control_points: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return sample and weight in bucket order, (I B,), and the start of each bucket, (I K,)."""
    batch, in_features = interval.shape
    feature = torch.arange(in_features, dtype=interval.dtype, device=interval.device)
    row = (interval.t() + feature[:, None] * num_control_points).reshape(-1)
    ordered, order = torch.sort(row, stable=True)
    every_row = torch.arange(
        in_features * num_control_points, dtype=row.dtype, device=interval.device
    )
    starts = torch.searchsorted(ordered, every_row)
    return order % batch, weight.t().reshape(-1)[order], starts


sorted = stock(stacked_bags.interpolate, stacked_bags.contract, accumulate)
