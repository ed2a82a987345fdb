"""From the arrays of a checkpoint to those of JAX, bit for bit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy.typing as npt

from kanditioned_spec import validate


def restored(where: str, array: npt.NDArray[Any], dtype: str) -> jax.Array:
    """Return a checkpoint's array as JAX's, bfloat16 from its bits.

    Raises:
        ValueError: It is float64, and JAX is not set to keep that.
    """
    if jax.dtypes.canonicalize_dtype(dtype).name != dtype:
        remedy = 'First set jax.config.update("jax_enable_x64", True).'
        constraint = "a file of numbers that JAX keeps in its present setting"
        raise ValueError(validate.message(where, "path", constraint, dtype, remedy))
    return jnp.asarray(array.view(jnp.dtype(dtype)))
