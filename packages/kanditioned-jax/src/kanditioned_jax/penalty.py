"""The smoothness penalty Σ ‖D c‖² of the spec's `penalty`, computed from θ where that is exact."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from kanditioned_spec import Grid, Parameterization, Shapes
from kanditioned_spec.penalty import SCALINGS, scaling_factor

from .parameterizations import control_points, curvature
from .shapes import feasible

__all__ = ["SCALINGS", "penalty"]


def penalty(
    spec: Parameterization,
    theta: jax.Array,
    grid: Grid,
    scaling: str = "knots",
    shapes: Shapes | None = None,
) -> jax.Array:
    """Return the penalty of parameters θ (I, P, O), summed over all edges, a scalar.

    Args:
        spec: What θ belongs to.
        theta: In float32 or wider.
        grid: Where the knots are, for `"continuous"`.
        scaling: `"knots"`, or `"continuous"` for an approximation of ∫ s''² over the domain.
        shapes: Of the edges; those that have some count with their feasible points.
    """
    factor = scaling_factor(scaling, grid)
    if not shapes:
        return (curvature(spec, theta) ** 2).sum() * factor
    free = [i for i in range(theta.shape[0]) if i not in shapes.features]
    bent = curvature(spec, theta[jnp.asarray(free, int)])
    points = feasible(control_points(spec, theta), shapes)[jnp.asarray(shapes.features)]
    return ((bent**2).sum() + (jnp.diff(points, 2, axis=1) ** 2).sum()) * factor
