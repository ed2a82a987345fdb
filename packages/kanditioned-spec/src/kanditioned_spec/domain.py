"""How wide the domain of a layer has to be for its data, from one pass over them.

Percentiles of |x| are read from counts: the leading bits of a float32, sign left out, number its
magnitudes in steps of 1/16 octave at most, from the smallest to infinity. The counts do not grow
with the data, do not depend on their order, and need no guess of their range.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import refinement, validate
from .grid import Grid
from .refinement import GridChange

KEEP = ("spacing", "num_control_points")
"""What of a grid stays when its domain is fitted to data."""

MAX_INTERVALS = 2**15
"""How many knot spacings a domain may reach to either side when its spacing is kept."""

SHIFT = 19
BINS = 2 ** (32 - 1 - SHIFT)
"""8 bits of exponent and 4 of mantissa: a bin's end is at most 1/16 above its start."""
_INFINITE = 0xFF << (23 - SHIFT)
"""The bin of infinity."""


class Magnitudes:
    """Counts of |x| for each feature, 32 KiB a feature.

    Args:
        in_features: Number of inputs, I.
    """

    def __init__(self, in_features: int) -> None:
        self.counts = np.zeros((in_features, BINS), np.int64)

    def add(self, x: npt.ArrayLike) -> None:
        """Count the inputs `x` of shape (B, I) that are not NaN."""
        with np.errstate(over="ignore"):  # float64 beyond float32 counts as infinite
            magnitude = np.abs(np.asarray(x).astype(np.float32))
        place = (magnitude.view(np.int32) >> SHIFT) + BINS * np.arange(len(self.counts))
        found = np.bincount(place[~np.isnan(magnitude)], minlength=self.counts.size)
        self.counts += found.reshape(self.counts.shape)

    def reach(self, where: str, coverage: float) -> float:
        """Return r such that in every feature a share `coverage` of the inputs has |x| <= r.

        It is at most 1/16 above the smallest such number (or the smallest normal float32).

        Raises:
            ValueError: A feature has no inputs but NaN, or too many infinite ones.
        """
        total = self.counts.sum(1, keepdims=True)
        last = int((self.counts.cumsum(1) >= coverage * total).argmax(1).max())
        if not total.all() or last >= _INFINITE:
            got = "a feature with too few" if total.all() else "a feature without any"
            remedy = "Pass inputs as the layer will see them, or lower coverage."
            raise ValueError(validate.message(where, "data", "of finite numbers", got, remedy))
        end = np.array((last + 1) << SHIFT, np.int32).view(np.float32)
        limits = np.finfo(np.float32)
        return float(end.clip(limits.tiny, limits.max))


def fit_grid(
    grid: Grid, reach: float, keep: str, control_points: npt.ArrayLike, dtype: str
) -> GridChange:
    """Go to a domain that holds [-reach, reach].

    Inputs that are all 0, as of a layer behind one of zeros, do not say how wide: its domain stays.

    Args:
        grid: The old grid.
        reach: In input units, > 0.
        keep: One of `KEEP`. `"spacing"` is exact; `"num_control_points"` is so where the functions
            are lines.
        control_points: Shape (I, K, O), to see whether the functions change.
        dtype: The name of the dtype that they are stored in.

    Warns:
        ResampleWarning: `keep="num_control_points"`, and the functions change.

    Raises:
        ValueError: `keep="spacing"`, and it would take very many control points.
    """
    if keep == "spacing" and (reach / grid.spacing) > MAX_INTERVALS:
        constraint = f'"num_control_points" for inputs more than {MAX_INTERVALS} knot spacings out'
        remedy = "The number of control points stays then. Or normalise the inputs first."
        got = f'"spacing" with inputs up to {reach:.3g}, {grid.spacing:.3g} apart'
        raise ValueError(validate.message("fit_domain", "keep", constraint, got, remedy))
    if reach <= np.finfo(np.float32).tiny:
        reach = grid.spline_width / 2
    fitted = grid.fitted(reach, keep)
    if keep == "spacing":
        more = (fitted.num_control_points - grid.num_control_points) // 2
        return GridChange(fitted, refinement.widening_matrix(grid.num_control_points, more))
    widths = grid.spline_width, fitted.spline_width
    c = np.asarray(control_points, np.float64)
    refinement.warn_if_resampling_changes(c, dtype, *widths)
    return GridChange(fitted, refinement.resampling_matrix(grid.num_control_points, *widths))


def missing_intervals(reach: float, num_control_points: int, spline_width: float) -> int:
    """Return how many knot spacings each end of the domain lacks to hold [-reach, reach]."""
    fitted = Grid(num_control_points, spline_width).fitted(reach, "spacing")
    return (fitted.num_control_points - num_control_points) // 2
