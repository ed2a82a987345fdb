"""The smoothness penalty Σ ‖D c‖² of the spec's `penalty`, computed from θ where that is exact."""

from __future__ import annotations

import jax

from kanditioned_spec import Grid, Parameterization
from kanditioned_spec.penalty import SCALINGS, scaling_factor

from .parameterizations import curvature

__all__ = ["SCALINGS", "penalty"]


def penalty(
    spec: Parameterization, theta: jax.Array, grid: Grid, scaling: str = "knots"
) -> jax.Array:
    """Return the penalty of parameters θ (I, P, O), summed over all edges, a scalar.

    Args:
        spec: What θ belongs to.
        theta: In float32 or wider.
        grid: Where the knots are, for `"continuous"`.
        scaling: `"knots"`, or `"continuous"` for an approximation of ∫ s''² over the domain.
    """
    return (curvature(spec, theta) ** 2).sum() * scaling_factor(scaling, grid)
