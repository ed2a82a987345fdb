"""What layers are measured by: the dense limit, and the layer with its data the other way round."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kanditioned_torch import KANLayer, spline_forward


class ExpandedMatmul(nn.Module):
    """y = Φ C for a given Φ of shape (B, I·K): what a dense method would cost if Φ were free.

    Args:
        in_features: Number of input features, I.
        out_features: Number of output features, O.
        num_control_points: Number of control points of each function, K.
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


class FeatureMajor(KANLayer):
    """A `KANLayer` on inputs (I, B) and outputs (O, B)."""

    feature_major = True

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the layer at x (I, B), giving (O, B)."""
        points, width, impl = self.control_points(), self.spline_width, self.impl
        return spline_forward(x, points, width, impl, feature_major=True)
