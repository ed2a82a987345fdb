"""How wide the domain of a layer has to be for its data, from one pass over them.

Percentiles of |x| are read from counts: the leading bits of a float32, sign left out, number its
magnitudes in steps of 1/16 octave at most, from the smallest to infinity. The counts do not grow
with the data, do not depend on their order, and need no guess of their range.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jax.typing import ArrayLike

from kanditioned_spec import ResampleWarning, numerics, validate
from kanditioned_spec.grid import Array, knots, locate, spacing

if TYPE_CHECKING:
    from .layer import KANLayer

    Layer = TypeVar("Layer", bound=KANLayer)

KEEP = ("spacing", "num_control_points")
"""What of a grid stays when its domain is fitted to data."""

_SHIFT = 19
_BINS = 2 ** (32 - 1 - _SHIFT)
"""8 bits of exponent and 4 of mantissa: a bin's end is at most 1/16 above its start."""
_INFINITE = 0xFF << (23 - _SHIFT)
"""The bin of infinity."""


class Magnitudes:
    """Counts of |x| for each feature, 32 KiB a feature.

    Args:
        in_features: I.
    """

    def __init__(self, in_features: int) -> None:
        self.counts = np.zeros((in_features, _BINS), np.int64)

    def add(self, x: ArrayLike) -> None:
        """Count the inputs `x` of shape (B, I), but for NaN."""
        with np.errstate(over="ignore"):  # float64 beyond float32 counts as infinite
            magnitude = np.abs(np.asarray(x).astype(np.float32))
        place = (magnitude.view(np.int32) >> _SHIFT) + _BINS * np.arange(len(self.counts))
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
        end = np.array((last + 1) << _SHIFT, np.int32).view(np.float32)
        limits = np.finfo(np.float32)
        return float(end.clip(limits.tiny, limits.max))


def checked_coverage(where: str, coverage: float) -> float:
    """Return a share of the data: a number in (0, 1]."""
    constraint, remedy = "a number in (0, 1]", "It is the share of the data within the domain."
    share = validate.finite_real(where, "coverage", coverage, constraint, remedy)
    if share > 1:
        raise ValueError(validate.message(where, "coverage", constraint, share, remedy))
    return share


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
        return layer.widen(max(0, math.ceil(beyond)))
    there, back = _sampling(count, width, 2 * reach), _sampling(count, 2 * reach, width)
    _warn_if_changed(layer, there, back)
    return layer.on_other_knots("fit_domain", there, 2 * reach)


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
    c = np.asarray(layer.control_points(), np.float64)
    eps = numerics.FORMATS[layer.theta.dtype.name].eps
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
