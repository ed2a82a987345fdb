"""How wide the domain of a layer has to be for its data (see `kanditioned_spec.domain`)."""

from __future__ import annotations

from typing import Any

import torch

from kanditioned_spec import domain


class Magnitudes(domain.Magnitudes):
    """Counts of |x| for each feature, made on the device of the data."""

    def add(self, x: Any) -> None:
        """Count the inputs `x`, a tensor of shape (..., I), but for NaN."""
        in_features = len(self.counts)
        magnitude = x.detach().reshape(-1, in_features).float().abs()
        place = magnitude.view(torch.int32) >> domain.SHIFT
        place = place + domain.BINS * torch.arange(in_features, device=x.device)
        found = torch.bincount(place[~magnitude.isnan()], minlength=self.counts.size)
        self.counts += found.view(self.counts.shape).cpu().numpy()
