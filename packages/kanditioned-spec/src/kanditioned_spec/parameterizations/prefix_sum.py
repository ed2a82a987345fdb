"""First value, first slope and second differences: two prefix sums away from control points."""

from __future__ import annotations

import numpy as np

from ..grid import Array
from .base import Parameterization


class PrefixSum(Parameterization):
    """θ holds c_0, c_1 - c_0 and the K - 2 second differences; c is their double prefix sum.

    D T is a multiple of [0 0 I], so the penalty's condition is exactly 1. The data term is not
    conditioned: a second difference near the left end bends the whole function.
    """

    name = "prefix_sum"
    affine = slice(0, 2)
    curvature_coordinates = slice(2, None)

    def _curvature(self, theta: Array) -> Array:
        return theta[..., 2:, :]

    def _squared_norm(self) -> float:
        """Sum K ones and, for each other parameter, the squares 1, 4, 9, … of a ramp."""
        count = self.num_control_points
        return float(count + sum(m * (m + 1) * (2 * m + 1) // 6 for m in range(1, count)))

    def _synthesis(self, theta: Array) -> Array:
        slopes = np.cumsum(theta[..., 1:, :], axis=-2)
        return np.concatenate(
            [theta[..., :1, :], theta[..., :1, :] + np.cumsum(slopes, axis=-2)], axis=-2
        )

    def _adjoint(self, grad: Array) -> Array:
        suffix_sums = _reverse_cumsum(grad)
        return np.concatenate(
            [suffix_sums[..., :1, :], _reverse_cumsum(suffix_sums[..., 1:, :])], axis=-2
        )

    def _analysis(self, control_points: Array) -> Array:
        slopes = np.diff(control_points, axis=-2)
        return np.concatenate(
            [control_points[..., :1, :], slopes[..., :1, :], np.diff(slopes, axis=-2)], axis=-2
        )


def _reverse_cumsum(values: Array) -> Array:
    return np.flip(np.cumsum(np.flip(values, axis=-2), axis=-2), axis=-2)
