"""The same functions on another grid or in other coordinates, as new layers."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from kanditioned_spec import ResampleWarning, numerics, refinement, validate
from kanditioned_spec.grid import Array, knots, locate, spacing

if TYPE_CHECKING:
    from .layer import KANLayer

    Layer = TypeVar("Layer", bound=KANLayer)

KEEP = ("spacing", "num_control_points")
"""What of a grid stays when its domain is fitted to data."""


@torch.no_grad()
def rebuilt(
    layer: Layer,
    control_points: Tensor,
    spline_width: float,
    parameterization: str,
    options: dict[str, Any],
) -> Layer:
    """Return a layer like `layer` with other control points and other coordinates."""
    new = type(layer).from_control_points(
        control_points,
        spline_width,
        parameterization,
        layer.impl,
        precision=layer.precision,
        **options,
    )
    new.init = layer.init
    return new.train(layer.training)


def refined(layer: Layer, num_control_points: int) -> Layer:
    """Return `layer` on another number of control points."""
    where = f"{type(layer).__name__}.refine"
    count = validate.num_control_points(where, num_control_points)
    refinement.warn_unless_exact(layer.num_control_points, count, stacklevel=4)
    matrix = refinement.refinement_matrix(layer.num_control_points, count)
    return _resampled(layer, matrix, layer.spline_width)


def widened(layer: Layer, intervals: int) -> Layer:
    """Return `layer` with `intervals` more knot spacings at each end."""
    remedy = "Each end of the domain grows by this many knot spacings."
    where = f"{type(layer).__name__}.widen"
    steps = validate.integer(where, "intervals", intervals, 0, remedy)
    count = layer.num_control_points
    width = refinement.widened(layer.spline_width, count, steps)
    return _resampled(layer, refinement.widening_matrix(count, steps), width)


def fitted(layer: Layer, reach: float, keep: str) -> Layer:
    """Return `layer` with a domain that holds [-reach, reach].

    Args:
        layer: The layer.
        reach: In input units, > 0.
        keep: One of `KEEP`.

    Warns:
        ResampleWarning: `keep="num_control_points"`, and the functions have changed.
    """
    count, width = layer.num_control_points, layer.spline_width
    if keep == "spacing":
        beyond = (reach - width / 2) / spacing(count, width)
        return widened(layer, max(0, math.ceil(beyond)))
    there, back = _sampling(count, width, 2 * reach), _sampling(count, 2 * reach, width)
    _warn_if_changed(layer, there, back)
    return _resampled(layer, there, 2 * reach)


def _sampling(count: int, old_width: float, new_width: float) -> Array:
    """Return the matrix (K, K) that evaluates splines of one width at the knots of another."""
    interval, fraction = locate(knots(count, new_width), count, old_width)
    matrix = np.zeros((count, count))
    rows = np.arange(count)
    matrix[rows, interval] = 1 - fraction
    matrix[rows, interval + 1] = fraction
    return matrix


def _warn_if_changed(layer: KANLayer, there: Array, back: Array) -> None:
    """Compare at the old knots, within what rounding of the old control points may explain."""
    c = layer.control_points().detach().double().cpu().numpy()
    eps = numerics.FORMATS[str(layer.theta.dtype).removeprefix("torch.")].eps
    rounding = numerics.CONSTANT * eps * (abs(back) @ (abs(there) @ abs(c)) + abs(c))
    change = abs(back @ (there @ c) - c)
    if (change > rounding).any():
        warnings.warn(
            f"fit_domain: the new knots do not contain the old ones, so the functions were "
            f"resampled, and changed by up to {change.max():.2g} at the old knots. "
            f'keep="spacing" would keep them exactly.',
            ResampleWarning,
            stacklevel=4,
        )


def _resampled(layer: Layer, matrix: Array, spline_width: float) -> Layer:
    control_points = layer.control_points().detach()
    resampled = torch.as_tensor(matrix, device=control_points.device) @ control_points.double()
    options = {key: value for key, value in layer.options.items() if key != "degree"}
    return rebuilt(
        layer, resampled.to(control_points.dtype), spline_width, layer.parameterization, options
    )
