"""The layer on inputs (I, B) and outputs (O, B)."""

from __future__ import annotations

from torch import Tensor

from kanditioned_torch import KANLayer, spline_forward


class FeatureMajor(KANLayer):
    """A `KANLayer` whose data are feature-major."""

    feature_major = True

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the layer at x (I, B), giving (O, B)."""
        points, width, impl = self.control_points(), self.spline_width, self.impl
        return spline_forward(x, points, width, impl, feature_major=True)
