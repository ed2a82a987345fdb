"""What callers may give where JAX would say something else: arrays, dtypes, keys, flags."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.typing import ArrayLike, DTypeLike

from kanditioned_spec import validate

Kept = jax.Array | npt.NDArray[np.float64]
"""What `keep_array` returns."""
DTYPES = ("float64", "float32", "float16", "bfloat16")
"""Dtypes of inputs and parameters: JAX has narrower ones too, which hold factors of products."""


def floating_array(where: str, argument: str, value: ArrayLike) -> jax.Array:
    """Return what a caller gives as an array of one of `DTYPES`.

    Raises:
        TypeError: It is none.
    """
    try:
        if isinstance(value, str | bytes):  # which NumPy may take for the name of a dtype
            raise TypeError
        array = jnp.asarray(value)
    except (TypeError, ValueError, OverflowError):
        remedy = "For example a JAX or a NumPy array."
        raise TypeError(
            validate.message(where, argument, "an array", type(value).__name__, remedy)
        ) from None
    validate.floating(where, argument, array.dtype.name in DTYPES, array.dtype)
    return array


def keep_array(where: str, argument: str, value: ArrayLike) -> Kept:
    """Return `floating_array`, but a float64 array of NumPy as it is.

    An input map subtracts its offset from such before JAX rounds it.
    """
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value
    return floating_array(where, argument, value)


def floating_dtype(where: str, dtype: DTypeLike) -> np.dtype[Any]:
    """Return one of `DTYPES`.

    Raises:
        TypeError: It is none.
    """
    try:
        known = None if dtype is None else jnp.dtype(dtype)
    except TypeError:
        known = None
    if known is None or known.name not in DTYPES:
        constraint, remedy = f"one of {', '.join(DTYPES)}", "For example float32."
        raise TypeError(validate.message(where, "dtype", constraint, repr(dtype), remedy))
    return known


def random_key(where: str, key: Any) -> jax.Array | None:
    """Return a source of random numbers: a key of `jax.random`, one of a seed, or None.

    Raises:
        TypeError: It is none of these.
        ValueError: A seed has more than 64 bits.
    """
    if key is None:
        return None
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if not -(2**63) <= key < 2**63:
            constraint, remedy = "a seed of 64 bits", "Any such integer is one."
            raise ValueError(validate.message(where, "key", constraint, key, remedy))
        return jax.random.key(int(key))
    if isinstance(key, jax.Array):
        is_key = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        if (is_key and key.ndim == 0) or (key.dtype == jnp.uint32 and key.ndim == 1):
            return key
    constraint, remedy = "a key of jax.random or a seed", "For example jax.random.key(0)."
    got = f"an array of {key.dtype}" if isinstance(key, jax.Array) else repr(key)
    raise TypeError(validate.message(where, "key", constraint, got, remedy))


def flag(where: str, argument: str, value: Any) -> bool:
    """Return True or False.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        remedy = "Names and numbers are not taken for one of them."
        raise TypeError(validate.message(where, argument, "True or False", repr(value), remedy))
    return bool(value)
