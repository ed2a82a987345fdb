"""Sample weights: what they mean, and their checks."""

from __future__ import annotations

from typing import Any

import numpy as np

from kanditioned_spec import validate

from .arrays import Flags, Vector


def check(where: str, given: Any, samples: int) -> Vector:
    """Return weights (N,) >= 0 in float64.

    Raises:
        TypeError: They are no real numbers.
        ValueError: They are negative or not finite, all are zero, or there are not N of them.
    """
    constraint = f"{samples} finite numbers >= 0, at least one of them above 0"
    remedy = "A weight of 2 counts a row twice, a weight of 0 leaves it out."
    if given is None:
        return np.ones(samples)
    try:
        array = np.asarray(given)
        if np.iscomplexobj(array):
            raise TypeError
        weight = array.astype(np.float64)
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


def rows_in_use(weight: Vector) -> Flags | slice:
    """Return which rows have a weight above 0, as a slice, which copies nothing, if all have."""
    flags: Flags = weight > 0
    return slice(None) if flags.all() else flags


def count_samples(weight: Vector) -> Vector:
    """Return positive weights as numbers of samples, which decide how much to smooth.

    Whole numbers without a common divisor count how often a row was seen. All others say only
    which rows matter more, and are scaled to a mean of one. So equal weights change nothing.
    """
    scale = Scale()
    scale.add(weight)
    scaled: Vector = weight / scale.divisor
    return scaled


class Scale:
    """What positive weights are divided by to be numbers of samples, over batches of them."""

    def __init__(self) -> None:
        self._rows = 0
        self._least, self._largest = np.inf, 0.0
        self._total = 0.0
        """In units of the largest, so that it does not overflow."""
        self._divisor: int | None = 0
        """The greatest common one of whole numbers; None if some are not whole."""

    def add(self, weight: Vector) -> None:
        """Take in the weights (N,) of a batch."""
        if not len(weight):
            return
        largest = max(self._largest, float(weight.max()))
        self._total = self._total * (self._largest / largest) + float((weight / largest).sum())
        self._least, self._largest = min(self._least, float(weight.min())), largest
        self._rows += len(weight)
        if largest >= 2**53 or not (weight == np.floor(weight)).all():
            self._divisor = None
        elif self._divisor is not None:
            self._divisor = int(np.gcd.reduce(weight.astype(np.int64), initial=self._divisor))

    @property
    def divisor(self) -> float:
        """See `count_samples`."""
        if self._least >= self._largest:
            return self._largest
        if self._divisor is not None:
            return float(self._divisor)
        return self._largest * (self._total / self._rows)
