"""Sample weights: what they mean, and their checks."""

from __future__ import annotations

from typing import Any

import numpy as np

from kanditioned_spec import validate

from .arrays import Vector


def checked(where: str, given: Any, samples: int) -> Vector:
    """Return weights (N,) >= 0 in float64.

    Raises:
        ValueError: They are negative or not finite, all are zero, or there are not N of them.
    """
    constraint = f"{samples} finite numbers >= 0, at least one of them above 0"
    remedy = "A weight of 2 counts a row twice, a weight of 0 leaves it out."
    if given is None:
        return np.ones(samples)
    try:
        weight = np.array(given, np.float64)
    except (TypeError, ValueError):
        got = type(given).__name__
        raise TypeError(validate.message(where, "sample_weight", constraint, got, remedy)) from None
    if weight.ndim == 0:
        weight = np.full(samples, weight)
    got = ""
    if weight.shape != (samples,):
        got = f"shape {weight.shape}"
    elif not np.isfinite(weight).all():
        got = "NaN or infinity"
    elif weight.min() < 0:
        got = f"{weight.min():g}"
    elif weight.max() == 0:
        got = "zeros only"
    if got:
        raise ValueError(validate.message(where, "sample_weight", constraint, got, remedy))
    return weight


def counted(weight: Vector) -> Vector:
    """Return positive weights as numbers of samples, which decide how much to smooth.

    Whole numbers without a common divisor count how often a row was seen. All others say only
    which rows matter more, and are scaled to a mean of one. So equal weights change nothing.
    """
    largest = weight.max()
    if (weight == largest).all():
        return np.ones(len(weight))
    if largest < 2**53 and (weight == np.floor(weight)).all():
        counts: Vector = weight / np.gcd.reduce(weight.astype(np.int64))
        return counts
    relative = weight / largest
    scaled: Vector = relative / relative.mean()
    return scaled
