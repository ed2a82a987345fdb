"""Gather both control-point rows of every sample and interpolate.

Compiled, this is one fused loop without temporaries. Eager, it runs in chunks.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .sorted import accumulate
from .stock import stock
from .tables import in_pieces, rows, table


def interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    batch, (in_features, count, out_features) = interval.shape[0], control_points.shape
    row, knots = rows(interval, count), table(control_points)

    def piece(part: slice) -> Tensor:
        left = F.embedding(row[part], knots)
        slope = F.embedding(row[part] + 1, knots) - left
        terms = weight[part, :, None] * slope
        return (left + terms if affine else terms).sum(1)

    bytes_each = in_features * out_features * knots.element_size()
    return in_pieces(piece, knots, (batch, out_features), bytes_each)


def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    in_features, count, out_features = control_points.shape
    row, knots = rows(interval, count), table(control_points)

    def piece(part: slice) -> Tensor:
        slope = F.embedding(row[part] + 1, knots) - F.embedding(row[part], knots)
        return (slope * grad_y[part, None, :]).sum(-1)

    bytes_each = in_features * out_features * knots.element_size()
    return in_pieces(piece, grad_y, (interval.shape[0], in_features), bytes_each)


embedding = stock(interpolate, contract, accumulate)
