"""The dense limit: a product with as many parameters as the layer, its input expanded before."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ExpandedMatmul(nn.Module):
    """y = Φ C for a given Φ of shape (B, I·K): what a dense method would cost if Φ were free.

    Args:
        in_features: I.
        out_features: O.
        num_control_points: K.
        spline_width: Not used; the expansion is given.
    """

    def __init__(
        self, in_features: int, out_features: int, num_control_points: int, spline_width: float
    ) -> None:
        super().__init__()
        self.expansion = num_control_points
        self.weight = nn.Parameter(torch.randn(in_features * num_control_points, out_features))

    def forward(self, expanded: Tensor) -> Tensor:
        """Multiply (B, I·K) by the weights."""
        return expanded @ self.weight
