"""Gather both control-point rows of every sample and interpolate.

Compiled, this is one fused loop without temporaries. Eager, it runs in chunks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .sorted import accumulate
from .stock import stock
from .tables import rows, slices, table


def interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    batch, (in_features, count, out_features) = interval.shape[0], control_points.shape
    row, knots = rows(interval, count), table(control_points)
    y = control_points.new_empty(batch, out_features)
    for part in slices(batch, in_features * out_features * knots.element_size()):
        left = F.embedding(row[part], knots)
        slope = F.embedding(row[part] + 1, knots) - left
        terms = weight[part, :, None] * slope
        y[part] = (left + terms if affine else terms).sum(1)
    return y


def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    in_features, count, out_features = control_points.shape
    row, knots = rows(interval, count), table(control_points)
    products = torch.empty(interval.shape, dtype=grad_y.dtype, device=grad_y.device)
    for part in slices(interval.shape[0], in_features * out_features * knots.element_size()):
        slope = F.embedding(row[part] + 1, knots) - F.embedding(row[part], knots)
        products[part] = (slope * grad_y[part, None, :]).sum(-1)
    return products


embedding = stock(interpolate, contract, accumulate)
