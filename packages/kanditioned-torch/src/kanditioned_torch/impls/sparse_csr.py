"""The hat basis as a sparse matrix in CSR form, two entries per feature, and sparse products.

Sparse tensors do not pass through the compiler, so the three products are custom operators, which
it calls as they are.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import torch
from torch import Tensor

from .stock import stock
from .tables import rows, table, with_infinite


def interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    def product(weight: Tensor) -> Tensor:
        y: Tensor = _interpolate(interval, weight, control_points, affine)
        return y

    return with_infinite(product, weight, control_points) if affine else product(weight)


@torch.library.custom_op("kanditioned::sparse_csr_interpolate", mutates_args=())
def _interpolate(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    y: Tensor = _basis(interval, weight, control_points.shape[1], affine) @ table(control_points)
    return y


@torch.library.custom_op("kanditioned::sparse_csr_contract", mutates_args=())
def contract(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    """Sample gy cᵀ at the non-zeros of Φ and take the difference of each pair."""
    pattern = _basis(
        interval, torch.zeros_like(interval, dtype=grad_y.dtype), control_points.shape[1], False
    )
    dots = torch.sparse.sampled_addmm(pattern, grad_y, table(control_points).t(), beta=0.0)
    left, right = dots.values().view(*interval.shape, 2).unbind(-1)
    difference: Tensor = right - left
    return difference


@torch.library.custom_op("kanditioned::sparse_csr_accumulate", mutates_args=())
def accumulate(
    interval: Tensor, weight: Tensor, grad_y: Tensor, num_control_points: int, affine: bool
) -> Tensor:
    basis = _basis(interval, weight, num_control_points, affine)
    grad = basis.t().to_sparse_csr() @ grad_y
    return grad.view(interval.shape[1], num_control_points, grad_y.shape[1])


@_interpolate.register_fake
def _(interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool) -> Tensor:
    return control_points.new_empty(interval.shape[0], control_points.shape[2])


@contract.register_fake
def _(interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
    return grad_y.new_empty(interval.shape)


@accumulate.register_fake
def _(
    interval: Tensor, weight: Tensor, grad_y: Tensor, num_control_points: int, affine: bool
) -> Tensor:
    return grad_y.new_empty(interval.shape[1], num_control_points, grad_y.shape[1])


def _basis(interval: Tensor, weight: Tensor, num_control_points: int, affine: bool) -> Tensor:
    """Return Φ as a CSR matrix (B, I K)."""
    batch, in_features = interval.shape
    row = rows(interval, num_control_points)
    ends = torch.arange(batch + 1, dtype=row.dtype, device=row.device) * 2 * in_features
    _warn_unheard()
    return torch.sparse_csr_tensor(
        ends,
        torch.stack((row, row + 1), -1).reshape(-1),
        torch.stack((float(affine) - weight, weight), -1).reshape(-1),
        size=(batch, in_features * num_control_points),
        check_invariants=False,
    )


@lru_cache
def _warn_unheard() -> None:
    """Let PyTorch say what it says once: that CSR tensors are in beta, and are not checked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), size=(1, 1))


sparse_csr = stock(interpolate, contract, accumulate)
