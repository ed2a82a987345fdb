"""Layers with a domain that holds their data (see `kanditioned_spec.domain`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kanditioned_spec import domain, refinement

if TYPE_CHECKING:
    from .layer import KANLayer

    Layer = TypeVar("Layer", bound=KANLayer)


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
        return layer.widen(domain.missing_intervals(reach, count, width))
    c = np.asarray(layer.control_points(), np.float64)
    refinement.warn_if_resampling_changes(c, layer.theta.dtype.name, width, 2 * reach)
    matrix = refinement.resampling_matrix(count, width, 2 * reach)
    return layer.on_other_knots("fit_domain", matrix, 2 * reach)
