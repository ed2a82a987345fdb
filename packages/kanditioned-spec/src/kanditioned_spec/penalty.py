"""The smoothness penalty R(c) = Σ over edges of ‖D c‖², D the second difference (rows 1 -2 1).

It is the P-spline penalty of order 2 (P. Eilers and B. Marx, Statistical Science 11, 1996); its
null space is the affine functions. Per unit of λ it changes its meaning with K: for a fixed smooth
function ‖D c‖² ≈ h³ ∫ s''². `scaling="continuous"` divides by h³, and then λ keeps its meaning
when a layer is refined.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array, Grid

SCALINGS = ("knots", "continuous")


def second_differences(control_points: npt.ArrayLike) -> Array:
    """Return D c along the second to last axis, shape (..., K - 2, O)."""
    c = np.asarray(control_points, dtype=np.float64)
    return c[..., 2:, :] - 2 * c[..., 1:-1, :] + c[..., :-2, :]


def second_difference_matrix(count: int) -> Array:
    """Return D, shape (K - 2, K)."""
    return second_differences(np.eye(count))


def scaling_factor(scaling: str, grid: Grid) -> float:
    """Return what ‖D c‖² is multiplied by: 1 for `"knots"`, h⁻³ for `"continuous"`.

    Raises:
        ValueError: Unknown `scaling`.
    """
    validate.choice("penalty", "scaling", scaling, SCALINGS)
    if scaling == "knots":
        return 1.0
    h = grid.spacing
    return 1 / h**3 if h < 1e100 else (1 / h) ** 3  # whose cube a float cannot hold


def penalty(
    control_points: npt.ArrayLike, *, scaling: str = "knots", spline_width: float = 4.0
) -> float:
    """Return the penalty of control points (I, K, O), summed over all edges.

    Where a parameterization knows its second differences, `Parameterization.penalty` is the exact
    form: differences of control points that were built by a long float32 sum lose digits.

    Args:
        scaling: `"knots"`, or `"continuous"` for an approximation of ∫ s''² over the domain, which
            needs `spline_width` in input units.
    """
    c = np.asarray(control_points, dtype=np.float64)
    factor = scaling_factor(scaling, Grid(c.shape[-2], spline_width))
    return float((second_differences(c) ** 2).sum() * factor)
