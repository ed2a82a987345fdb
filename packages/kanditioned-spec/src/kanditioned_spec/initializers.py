"""Initial control points. All are linear functions of the input, in input units.

    identity        s_ii(x) = x, other edges zero
    random_normal   s_io(x) = a_io x, a standard normal and scaled so that Σ_i a_io² = 1
    zero            s_io(x) = 0

`random_normal` keeps unit scale through a stack: independent inputs of unit variance give outputs
of unit variance.
"""

from __future__ import annotations

import numpy as np

from . import validate
from .grid import Array, Grid

INITIALIZERS = ("random_normal", "identity", "zero")


def control_points(
    init: str,
    in_features: int,
    out_features: int,
    grid: Grid,
    rng: np.random.Generator | int | None = None,
) -> Array:
    """Return initial control points, shape (I, K, O).

    Args:
        init: One of `INITIALIZERS`.
        in_features: I.
        out_features: O.
        grid: Where the knots are.
        rng: Source of `random_normal`: a generator, or a seed for a new one. The global random
            state is never touched.

    Raises:
        ValueError: Unknown `init`, or `identity` with I != O.

    Example:
        >>> control_points("identity", 1, 1, Grid(5, 4.0)).ravel()
        array([-2., -1.,  0.,  1.,  2.])
    """
    where = "initializers.control_points"
    validate.choice(where, "init", init, INITIALIZERS)
    if init == "identity":
        validate.square(where, in_features, out_features)
        slopes = np.eye(in_features)
    elif init == "zero":
        slopes = np.zeros((in_features, out_features))
    else:
        slopes = np.random.default_rng(rng).standard_normal((in_features, out_features))
        slopes /= np.linalg.norm(slopes, axis=0)
    return from_slopes(slopes, grid)


def from_slopes(slopes: Array, grid: Grid) -> Array:
    """Return the control points (I, K, O) of the linear functions with slopes (I, O)."""
    return slopes[:, None, :] * grid.knots()[:, None]
