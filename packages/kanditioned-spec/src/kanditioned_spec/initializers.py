"""Initial control points. All are linear functions of the input, in input units.

    identity        s_ii(x) = x, other edges zero
    random_normal   s_io(x) = a_io x, a standard normal and scaled so that Σ_i a_io² = 1
    zero            s_io(x) = 0

Monotone features get slopes of their sign: |a_io| or -|a_io|. If all features of a layer are
monotone, Σ_i |a_io| = 1 instead: inputs that rise together would add up, layer after layer.

`random_normal` keeps unit scale through a stack: independent inputs of unit variance give outputs
of unit variance.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    monotone: Sequence[int] = (),
) -> Array:
    """Return initial control points, shape (I, K, O).

    Args:
        init: One of `INITIALIZERS`.
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        grid: Where the knots are.
        rng: Source of `random_normal`: a generator, or a seed for a new one. The global random
            state is never touched.
        monotone: +1, 0 or -1 for each feature, or nothing.

    Raises:
        ValueError: Unknown `init`, or `identity` with I != O or a decreasing feature.

    Example:
        >>> control_points("identity", 1, 1, Grid(5, 4.0)).ravel()
        array([-2., -1.,  0.,  1.,  2.])
    """
    where = "initializers.control_points"
    validate.choice(where, "init", init, INITIALIZERS)
    if init == "identity":
        validate.square(where, in_features, out_features)
        rising(where, monotone)
        slopes = np.eye(in_features)
    elif init == "zero":
        slopes = np.zeros((in_features, out_features))
    else:
        slopes = np.random.default_rng(rng).standard_normal((in_features, out_features))
        signs = np.broadcast_to(np.reshape(monotone or 0, (-1, 1)), slopes.shape)
        slopes = np.where(signs, signs * np.abs(slopes), slopes)
        slopes /= np.linalg.norm(slopes, axis=0, ord=norm_order(monotone))
    return from_slopes(slopes, grid)


def norm_order(monotone: Sequence[int]) -> int:
    """Return which norm of an output's slopes is 1: the sum if all features are monotone, else 2.

    The first is Σ |a|, the second √Σ a².
    """
    return 1 if len(monotone) > 0 and all(monotone) else 2


def rising(where: str, monotone: Sequence[int]) -> None:
    """Check that no feature of an identity layer has to fall.

    Raises:
        ValueError: One has to.
    """
    if any(sign < 0 for sign in monotone):
        constraint = '"random_normal" or "zero" with a decreasing feature'
        remedy = "The identity rises."
        raise ValueError(validate.message(where, "init", constraint, '"identity"', remedy))


def from_slopes(slopes: Array, grid: Grid) -> Array:
    """Return the control points (I, K, O) of the linear functions with slopes (I, O)."""
    return slopes[:, None, :] * grid.knots()[:, None]
