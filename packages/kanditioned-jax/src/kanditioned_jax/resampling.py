"""The same functions on another grid or in other coordinates: of one (θ, configuration) another."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from kanditioned_spec import domain, refinement
from kanditioned_spec.grid import Array
from kanditioned_spec.refinement import GridChange

from .config import Config
from .grid import compute_dtype
from .parameterizations import along_knots, control_points, convert, parameters_from
from .shapes import feasible

Parts = tuple[jax.Array, Config]
"""Parameters θ (I, P, O), and everything else about a layer."""


def reparameterize(
    where: str, theta: jax.Array, config: Config, parameterization: str, options: dict[str, Any]
) -> Parts:
    """Go to another parameterization."""
    kept = (config.impl, config.precision)
    new = Config.from_arguments(where, config.grid, parameterization, *kept, options, config.shapes)
    return _resample(theta, config, new, np.eye(config.grid.num_control_points))


def refine(where: str, theta: jax.Array, config: Config, num_control_points: int) -> Parts:
    """Go to another number of control points."""
    change = refinement.refine_grid(where, config.grid, num_control_points)
    return change_grid(where, theta, config, change)


def widen(where: str, theta: jax.Array, config: Config, intervals: int) -> Parts:
    """Extend the domain by whole intervals."""
    change = refinement.widen_grid(where, config.grid, intervals)
    return change_grid(where, theta, config, change)


def fit_domain(where: str, theta: jax.Array, config: Config, reach: float, keep: str) -> Parts:
    """Go to a domain that holds [-reach, reach]."""
    points = control_points(config.spec, theta.astype(compute_dtype(theta.dtype)))
    points = feasible(points, config.shapes) if config.shapes else points
    stored = points.astype(theta.dtype)
    change = domain.fit_grid(config.grid, reach, keep, stored, theta.dtype.name)
    return change_grid(where, theta, config, change)


def change_grid(where: str, theta: jax.Array, config: Config, change: GridChange) -> Parts:
    """Go to another grid."""
    new = config.on_grid(where, change.grid, theta.dtype.name)
    return _resample(theta, config, new, change.matrix)


def _resample(theta: jax.Array, old: Config, new: Config, matrix: Array) -> Parts:
    """Take control points `matrix` times the old ones for the new configuration."""
    wide = theta.astype(compute_dtype(theta.dtype))
    if old.shapes:
        points = feasible(control_points(old.spec, wide), old.shapes)
        changed = parameters_from(new.spec, along_knots(matrix, points))
        return changed.astype(theta.dtype), new
    return convert(wide, old.spec, new.spec, matrix).astype(theta.dtype), new
