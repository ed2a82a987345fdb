"""Gather both control-point rows of a sample at once.

Rows l and l + 1 are neighbours in memory, so the control points are viewed as overlapping windows
of two rows: half the indices, reads twice as long.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .sorted import accumulate
from .stock import stock
from .tables import in_pieces, rows, table


def interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    batch, (in_features, count, out_features) = interval.shape[0], control_points.shape
    row, windows = rows(interval, count), _windows(control_points)

    def piece(part: slice) -> Tensor:
        left, right = F.embedding(row[part], windows).chunk(2, dim=-1)
        terms = weight[part, :, None] * (right - left)
        return (left + terms if affine else terms).sum(1)

    bytes_each = 2 * in_features * out_features * windows.element_size()
    return in_pieces(piece, windows, (batch, out_features), bytes_each)


def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    in_features, count, out_features = control_points.shape
    row, windows = rows(interval, count), _windows(control_points)

    def piece(part: slice) -> Tensor:
        left, right = F.embedding(row[part], windows).chunk(2, dim=-1)
        return ((right - left) * grad_y[part, None, :]).sum(-1)

    bytes_each = 2 * in_features * out_features * windows.element_size()
    return in_pieces(piece, grad_y, (interval.shape[0], in_features), bytes_each)


def _windows(control_points: Tensor) -> Tensor:
    """View (I, K, O) as (I K - 1, 2 O): window r holds rows r and r + 1."""
    knots = table(control_points)
    row_count, out_features = knots.shape
    return knots.as_strided((row_count - 1, 2 * out_features), (out_features, 1))


strided = stock(interpolate, contract, accumulate)
