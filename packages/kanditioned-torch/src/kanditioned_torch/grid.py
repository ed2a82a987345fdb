"""Where inputs fall on the uniform grid, as tensors (see `kanditioned_spec.grid`)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kanditioned_spec import Grid


class Location(NamedTuple):
    """Interval (int32 or int64) and fraction of every input, each of shape (B, I)."""

    interval: Tensor
    fraction: Tensor


def locate(x: Tensor, grid: Grid) -> Location:
    """Return interval and fraction of `x` (B, I), which must be float32 or wider.

    NaN is given interval 0 before the conversion to an integer and stays in the fraction.
    """
    u = (x + grid.spline_width / 2) * grid.knots_per_unit
    lowest = torch.where(u > 0, u, 0).floor_().clamp_(max=grid.num_control_points - 2)
    rows = x.shape[1] * grid.num_control_points
    index_dtype = torch.int32 if rows <= torch.iinfo(torch.int32).max else torch.int64
    return Location(lowest.to(index_dtype), u - lowest)


def locate_along(x: Tensor, direction: Tensor | None, grid: Grid) -> Location:
    """Return intervals and fractions, or along a direction v (B, I) v/h instead; NaN where x is."""
    interval, fraction = locate(x, grid)
    if direction is None:
        return Location(interval, fraction)
    return Location(interval, nan_where_nan(x, direction.to(x.dtype) * grid.knots_per_unit))


def nan_where_nan(x: Tensor, values: Tensor) -> Tensor:
    """Return `values`, but NaN where `x` is: told by a comparison, which compilers vectorise."""
    return torch.where(x == x, values, x)


def is_infinite(values: Tensor) -> Tensor:
    """Return where values are ±inf, likewise."""
    return values.abs() == math.inf
