"""As `embedding`, but rows are gathered in the order of their addresses and put back afterwards.

It reads the table once from front to back and pays for it with a sort and a scatter of all terms.
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
        ordered, order = torch.sort(row[part].reshape(-1), stable=True)
        left = F.embedding(ordered, knots)
        slope = F.embedding(ordered + 1, knots) - left
        terms = weight[part].reshape(-1)[order, None] * slope
        terms = _unsort(left + terms if affine else terms, order)
        y[part] = torch.unflatten(terms, 0, (-1, in_features)).sum(1)
    return y


def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    in_features, count, out_features = control_points.shape
    row, knots = rows(interval, count), table(control_points)
    products = torch.empty(interval.shape, dtype=grad_y.dtype, device=grad_y.device)
    for part in slices(interval.shape[0], in_features * out_features * knots.element_size()):
        ordered, order = torch.sort(row[part].reshape(-1), stable=True)
        slope = F.embedding(ordered + 1, knots) - F.embedding(ordered, knots)
        dots = (slope * grad_y[part][order // in_features]).sum(-1)
        products[part] = _unsort(dots, order).view(-1, in_features)
    return products


def _unsort(values: Tensor, order: Tensor) -> Tensor:
    return torch.empty_like(values).index_copy_(0, order, values)


presorted = stock(interpolate, contract, accumulate)
