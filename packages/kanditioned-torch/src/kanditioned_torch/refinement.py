"""The same functions on another grid or in other coordinates, as new layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from kanditioned_spec import domain, refinement, validate
from kanditioned_spec.grid import Array

if TYPE_CHECKING:
    from .layer import KANLayer

    Layer = TypeVar("Layer", bound=KANLayer)


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
    refinement.warn_unless_exact(layer.num_control_points, count)
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
        keep: One of `domain.KEEP`.

    Warns:
        ResampleWarning: `keep="num_control_points"`, and the functions have changed.
    """
    count, width = layer.num_control_points, layer.spline_width
    if keep == "spacing":
        return widened(layer, domain.missing_intervals(reach, count, width))
    c = layer.control_points().detach().double().cpu().numpy()
    dtype = str(layer.theta.dtype).removeprefix("torch.")
    refinement.warn_if_resampling_changes(c, dtype, width, 2 * reach)
    return _resampled(layer, refinement.resampling_matrix(count, width, 2 * reach), 2 * reach)


def _resampled(layer: Layer, matrix: Array, spline_width: float) -> Layer:
    control_points = layer.control_points().detach()
    resampled = torch.as_tensor(matrix, device=control_points.device) @ control_points.double()
    options = {key: value for key, value in layer.options.items() if key != "degree"}
    return rebuilt(
        layer, resampled.to(control_points.dtype), spline_width, layer.parameterization, options
    )
