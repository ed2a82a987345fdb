"""How wide the domain of a layer has to be for its data (see `kanditioned_spec.domain`)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kanditioned_spec import Grid, domain
from kanditioned_spec.refinement import GridChange

from .arrays import dtype_name, to_float64


class Magnitudes(domain.Magnitudes):
    """Counts of |x| for each feature, made on the device of the data."""

    def add(self, x: Any) -> None:
        """Count the inputs `x`, a tensor of shape (..., I), that are not NaN."""
        in_features = len(self.counts)
        magnitude = x.detach().reshape(-1, in_features).float().abs()
        place = magnitude.view(torch.int32) >> domain.SHIFT
        place = place + domain.BINS * torch.arange(in_features, device=x.device)
        found = torch.bincount(place[~magnitude.isnan()], minlength=self.counts.size)
        self.counts += found.view(self.counts.shape).cpu().numpy()


def fit_grid(grid: Grid, control_points: Tensor, reach: float, keep: str) -> GridChange:
    """Return what `domain.fit_grid` of the spec does, for control points (I, K, O)."""
    dtype = dtype_name(control_points.dtype)
    return domain.fit_grid(grid, reach, keep, to_float64(control_points), dtype)
