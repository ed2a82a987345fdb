"""Which dtypes the layer computes and answers in, and how far products may be rounded."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from .tracing import assume_constant_result

PRECISIONS = ("highest", "high", "medium")
"""How operands of products may be rounded: not at all, to TF32, to bfloat16."""


def compute_dtype(*dtypes: torch.dtype) -> torch.dtype:
    """Return the dtype of positions and sums: the promoted dtype, at least float32."""
    result = torch.float32
    for dtype in dtypes:
        result = torch.promote_types(result, dtype)
    return result


def output_dtype(x: Tensor, control_points: Tensor) -> torch.dtype:
    """Return the promoted dtype, under autocast that of the device (float64 stays)."""
    dtype = torch.promote_types(x.dtype, control_points.dtype)
    if dtype == torch.float64 or not _autocasts(x.device.type):
        return dtype
    return torch.get_autocast_dtype(x.device.type)


def default_precision(dtype: torch.dtype) -> str:
    """Return which of `PRECISIONS` PyTorch's own products of `dtype` have."""
    if dtype in (torch.float16, torch.bfloat16):
        return "medium"
    return _float32_precision()


def without_autocast(device_type: str) -> contextlib.AbstractContextManager[None]:
    """Return a context in which operations keep the dtypes of their arguments."""
    if _autocasts(device_type):
        return torch.autocast(device_type, enabled=False)
    return contextlib.nullcontext()


def _autocasts(device_type: str) -> bool:
    if device_type not in ("cpu", "cuda") and not torch.amp.is_autocast_available(device_type):
        return False
    return torch.is_autocast_enabled(device_type)


@assume_constant_result
def _float32_precision() -> str:
    precision: str = torch.get_float32_matmul_precision()
    return precision
