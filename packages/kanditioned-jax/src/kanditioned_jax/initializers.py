"""Initial slopes of the splines, which are all linear at first (see the spec's `initializers`)."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from kanditioned_spec import validate
from kanditioned_spec.initializers import INITIALIZERS, norm_order, rising

__all__ = ["INITIALIZERS", "slopes"]


def slopes(
    where: str,
    init: str,
    in_features: int,
    out_features: int,
    key: jax.Array | None,
    dtype: DTypeLike,
    monotone: tuple[int, ...] = (),
) -> jax.Array:
    """Return the slopes (I, O) of the initial functions, in input units.

    Args:
        where: The callable to name in an error.
        init: One of `INITIALIZERS`.
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        key: Source of `random_normal`.
        dtype: float32 or wider.
        monotone: +1, 0 or -1 for each feature, or nothing.

    Raises:
        ValueError: Unknown `init`, `identity` with I != O or a decreasing feature, or
            `random_normal` without a key.
    """
    validate.choice(where, "init", init, INITIALIZERS)
    if init == "zero":
        return jnp.zeros((in_features, out_features), dtype)
    if init == "identity":
        validate.square(where, in_features, out_features)
        rising(where, monotone)
        return jnp.eye(in_features, dtype=dtype)
    if key is None:
        remedy = "For example jax.random.key(0); JAX has no global random state."
        constraint = 'a key of jax.random or a seed, with init="random_normal"'
        raise ValueError(validate.message(where, "key", constraint, None, remedy))
    normalised: jax.Array = _of_unit_norm(key, (in_features, out_features), dtype, monotone)
    return normalised


@partial(jax.jit, static_argnames=("shape", "dtype", "monotone"))
def _of_unit_norm(
    key: jax.Array, shape: tuple[int, int], dtype: DTypeLike, monotone: tuple[int, ...]
) -> jax.Array:
    normal: jax.Array = jax.random.normal(key, shape, dtype)
    signs = jnp.asarray(monotone or (0,) * shape[0], dtype)[:, None]
    normal = jnp.where(signs == 0, normal, signs * jnp.abs(normal))
    norms: jax.Array = jnp.linalg.norm(normal, norm_order(monotone), axis=0, keepdims=True)
    return normal / norms
