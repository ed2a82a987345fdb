"""PyTorch's weighted embedding bag and its own derivatives: a bag per sample, two rows a feature.

The fastest stock forward on a CPU. Nothing of size B·I·O exists.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import stock
from .tables import rows, table, with_infinite

SUM = 0  # the aten code of mode="sum"


def interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    pairs = _pairs(rows(interval, control_points.shape[1]))

    def bag(weight: Tensor) -> Tensor:
        return F.embedding_bag(
            pairs,
            table(control_points),
            mode="sum",
            per_sample_weights=_weight_pairs(weight, affine),
        )

    return with_infinite(bag, weight, control_points) if affine else bag(weight)


def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    """Take the dot product of gy with both rows, and the difference of the two."""
    indices, offsets, bags = _flat_bags(interval, control_points.shape[1])
    dots: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        grad_y.contiguous(), table(control_points), indices, offsets, bags, SUM
    )
    left, right = dots.view(*interval.shape, 2).unbind(-1)
    return right - left


def accumulate(
    interval: Tensor, weight: Tensor, grad_y: Tensor, num_control_points: int, affine: bool
) -> Tensor:
    in_features, out_features = interval.shape[1], grad_y.shape[1]
    indices, offsets, bags = _flat_bags(interval, num_control_points)
    grad: Tensor = torch.ops.aten._embedding_bag_dense_backward(
        grad_y.contiguous(),
        indices,
        bags,
        torch.full_like(offsets, 2 * in_features),
        torch.empty_like(offsets[:0]),
        in_features * num_control_points,
        False,
        SUM,
        _weight_pairs(weight, affine).reshape(-1),
    )
    return grad.view(in_features, num_control_points, out_features)


def _pairs(row: Tensor) -> Tensor:
    """Return rows l and l + 1 of every feature side by side, (B, 2 I)."""
    return _interleaved(row, row + 1)


def _weight_pairs(weight: Tensor, affine: bool) -> Tensor:
    return _interleaved(float(affine) - weight, weight)


def _interleaved(first: Tensor, second: Tensor) -> Tensor:
    """Put (B, I) tensors side by side, (B, 2 I)."""
    if torch.compiler.is_compiling():
        return torch.stack((first, second), -1).flatten(1)
    pairs = first.new_empty(*first.shape, 2)  # eager, half the time of `stack`
    pairs[..., 0], pairs[..., 1] = first, second
    return pairs.flatten(1)


def _flat_bags(interval: Tensor, num_control_points: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return flat indices, the start of each sample's bag, and the bag of each index."""
    pairs = _pairs(rows(interval, num_control_points)).long()
    batch, size = pairs.shape
    bag = torch.arange(batch, device=pairs.device)
    return pairs.reshape(-1), bag * size, bag.repeat_interleave(size)


embedding_bag = stock(interpolate, contract, accumulate)
