"""The hat basis as a matrix: Φ[b, (i, k)] = weight of knot k in sample b, and y = Φ c.

2 K multiply-adds per edge at the full speed of matrix products: best for few control points.
Φ is made a few features at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..tracing import is_traced
from .stock import stock
from .tables import slices, with_infinite


def interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    batch, (in_features, count, out_features) = interval.shape[0], control_points.shape

    def product(weight: Tensor) -> Tensor:
        y = control_points.new_zeros(batch, out_features)
        for part in slices(in_features, batch * count * y.element_size()):
            basis = _basis(interval[:, part], weight[:, part], count, affine)
            y = torch.addmm(y, basis, control_points[part].flatten(0, 1))
        return y

    return with_infinite(product, weight, control_points) if affine else product(weight)


def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    batch, (in_features, count) = interval.shape[0], control_points.shape[:2]
    products = torch.empty(interval.shape, dtype=grad_y.dtype, device=grad_y.device)
    for part in slices(in_features, batch * count * grad_y.element_size()):
        dots = grad_y @ control_points[part].flatten(0, 1).t()
        dots = dots.view(batch, control_points[part].shape[0], count)
        left = interval[:, part, None].long()
        products[:, part] = (dots.gather(2, left + 1) - dots.gather(2, left)).squeeze(2)
    return products


def accumulate(
    interval: Tensor, weight: Tensor, grad_y: Tensor, num_control_points: int, affine: bool
) -> Tensor:
    batch, in_features = interval.shape
    out_features = grad_y.shape[1]
    grad = grad_y.new_empty(in_features, num_control_points, out_features)
    for part in slices(in_features, batch * num_control_points * grad.element_size()):
        basis = _basis(interval[:, part], weight[:, part], num_control_points, affine)
        grad[part] = (basis.t() @ grad_y).view(grad[part].shape)
    return grad


def _basis(interval: Tensor, weight: Tensor, num_control_points: int, affine: bool) -> Tensor:
    """Return Φ of some features, (B, i K)."""
    if is_traced():  # a comparison fuses into one loop, a scatter does not
        knot = torch.arange(num_control_points, dtype=interval.dtype, device=interval.device)
        offset = knot - interval[..., None]
        right = torch.where(offset == 1, weight[..., None], 0)
        return torch.where(offset == 0, float(affine) - weight[..., None], right).flatten(1)
    basis = weight.new_zeros(*interval.shape, num_control_points)
    left = interval[..., None].long()
    basis.scatter_(2, left, (float(affine) - weight)[..., None])
    basis.scatter_(2, left + 1, weight[..., None])
    return basis.flatten(1)


dense = stock(interpolate, contract, accumulate)
