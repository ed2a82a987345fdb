"""How wide the domain of a layer has to be for its data, from one pass over them.

Percentiles of |x| are read from counts: the leading bits of a float32, sign left out, number its
magnitudes in steps of 1/16 octave at most, from the smallest to infinity. The counts do not grow
with the data, do not depend on their order, and need no guess of their range.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kanditioned_spec import validate

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
        self.counts = torch.zeros(in_features, _BINS, dtype=torch.int64)

    def add(self, x: Tensor) -> None:
        """Count the inputs `x` of shape (..., I), but for NaN."""
        in_features = len(self.counts)
        magnitude = x.detach().reshape(-1, in_features).float().abs()
        place = magnitude.view(torch.int32) >> _SHIFT
        place = place + _BINS * torch.arange(in_features, device=x.device)
        found = torch.bincount(place[~magnitude.isnan()], minlength=self.counts.numel())
        self.counts += found.view_as(self.counts).to(self.counts.device)

    def reach(self, where: str, coverage: float) -> float:
        """Return r such that in every feature a share `coverage` of the inputs has |x| <= r.

        It is at most 1/16 above the smallest such number (or the smallest normal float32).

        Raises:
            ValueError: A feature has no inputs but NaN, or too many infinite ones.
        """
        total = self.counts.sum(1, keepdim=True)
        last = int((self.counts.cumsum(1) >= coverage * total).int().argmax(1).max())
        if not total.all() or last >= _INFINITE:
            got = "a feature with too few" if total.all() else "a feature without any"
            remedy = "Pass inputs as the layer will see them, or lower coverage."
            raise ValueError(validate.message(where, "data", "of finite numbers", got, remedy))
        end = torch.tensor((last + 1) << _SHIFT, dtype=torch.int32).view(torch.float32)
        limits = torch.finfo(torch.float32)
        return float(end.clamp(limits.tiny, limits.max))


def checked_coverage(where: str, coverage: float) -> float:
    """Return a share of the data: a number in (0, 1]."""
    constraint, remedy = "a number in (0, 1]", "It is the share of the data within the domain."
    share = validate.finite_real(where, "coverage", coverage, constraint, remedy)
    if share > 1:
        raise ValueError(validate.message(where, "coverage", constraint, share, remedy))
    return share
