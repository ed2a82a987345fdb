"""Where inputs fall on the uniform grid, as tensors (see `kanditioned_spec.grid`)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Location(NamedTuple):
    """Interval (int32 or int64) and fraction of every input, each of shape (B, I)."""

    interval: Tensor
    fraction: Tensor


def knots_per_unit(num_control_points: int, spline_width: float) -> float:
    """Return 1/h = (K - 1)/w, the slope of the position in the input."""
    return (num_control_points - 1) / spline_width


def locate(x: Tensor, num_control_points: int, spline_width: float) -> Location:
    """Return interval and fraction of `x` (B, I), which must be float32 or wider.

    NaN is given interval 0 before the conversion to an integer and stays in the fraction.
    """
    u = (x + spline_width / 2) * knots_per_unit(num_control_points, spline_width)
    lowest = torch.where(u > 0, u, 0).floor_().clamp_(max=num_control_points - 2)
    rows = x.shape[1] * num_control_points
    index_dtype = torch.int32 if rows <= torch.iinfo(torch.int32).max else torch.int64
    return Location(lowest.to(index_dtype), u - lowest)


def is_number(values: Tensor) -> Tensor:
    """Return where values are not NaN, by a comparison, which compilers vectorise."""
    return values == values


def is_infinite(values: Tensor) -> Tensor:
    """Return where values are ±inf, likewise."""
    return values.abs() == math.inf
