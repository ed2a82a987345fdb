"""The two-sided ReLU form of the 1.x package, kept so that its checkpoints load."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..grid import Array
from .base import Parameterization


class ParallelScan(Parameterization):
    """Control points as a sum of ramps that rise to the right and to the left of each knot.

        c_k = Σ_l r_l ReLU(k - l) + q_l ReLU(l - k),      θ = (r, q), P = 2K.

    r_{K-1} and q_0 touch no knot. The scale is that of the 1.x package.
    """

    name = "parallel_scan"
    scale = 1.0

    @property
    def num_parameters(self) -> int:
        return 2 * self.num_control_points

    def _curvature(self, theta: Array) -> Array:
        rising, falling = np.split(theta, 2, axis=-2)
        return (rising + falling)[..., 1:-1, :]  # both ramps of an inner knot bend c there

    @property
    def build_bytes(self) -> int:
        return 160 * self.num_control_points**2  # the pseudo-inverse of (K, 2K)

    def _squared_norm(self) -> float:
        return float((_ramps(self.num_control_points) ** 2).sum())

    def _synthesis(self, theta: Array) -> Array:
        return _ramps(self.num_control_points) @ theta

    def _adjoint(self, grad: Array) -> Array:
        return _ramps(self.num_control_points).T @ grad

    def _analysis(self, control_points: Array) -> Array:
        return _pseudo_inverse(self.num_control_points) @ control_points


@lru_cache(maxsize=32)
def _ramps(count: int) -> Array:
    """Return T, shape (K, 2K)."""
    knots = np.arange(count)
    rising = np.maximum(knots[:, None] - knots[None, :], 0)
    return np.concatenate([rising, rising.T], axis=1).astype(np.float64)


@lru_cache(maxsize=32)
def _pseudo_inverse(count: int) -> Array:
    """Return T⁺, shape (2K, K): its singular values cost O(K³), which no second layer pays."""
    return np.asarray(np.linalg.pinv(_ramps(count)), dtype=np.float64)
