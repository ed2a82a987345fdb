"""Layers and arrays as files hold them."""

from __future__ import annotations

import os

import jax
import jax.numpy as jnp
import numpy as np

from kanditioned_spec import checkpoint, validate
from kanditioned_spec.checkpoint import CheckpointError, Layer, LayerConfig
from kanditioned_spec.checkpoint.schema import StoredArray, dtype_name

from .config import Config

Path = str | bytes | os.PathLike[str]


def to_file(theta: jax.Array, config: Config) -> Layer:
    """Return a layer as a file holds it."""
    in_features, _, out_features = theta.shape
    described = LayerConfig(
        in_features,
        out_features,
        *config.grid,
        config.parameterization,
        config.options,
        theta.dtype.name,
        *(config.shapes or ()),
    )
    return Layer(described, np.asarray(theta))


def from_file(
    where: str, path: Path, layer: Layer, impl: str, precision: str | None
) -> tuple[jax.Array, Config]:
    """Return the parameters and the configuration of a layer in a file.

    Raises:
        CheckpointError: The layer can't be built in its dtype.
        ValueError: It is float64, and JAX is not set to keep that.
    """
    with checkpoint.building(where, path):
        config = Config.of(where, layer.config, impl, precision)
        config.grid.check_dtype(where, layer.config.dtype)
    return array_from_file(where, layer.parameters), config


def refuse(where: str, constraint: str, got: str) -> CheckpointError:
    """Return the error of a sound file that holds what this package does not evaluate."""
    remedy = "Nothing was loaded; PyTorch or the spec's reference may evaluate it."
    return CheckpointError(validate.message(where, "path", constraint, got, remedy))


def array_from_file(where: str, stored: StoredArray) -> jax.Array:
    """Return a file's array, in its own dtype; bfloat16 from its bits.

    Raises:
        ValueError: It is float64, and JAX is not set to keep that.
    """
    name = dtype_name(stored)
    if jax.dtypes.canonicalize_dtype(name).name != name:
        remedy = 'First set jax.config.update("jax_enable_x64", True).'
        constraint = "a file of numbers that JAX keeps in its present setting"
        raise ValueError(validate.message(where, "path", constraint, name, remedy))
    return jnp.asarray(stored.view(jnp.dtype(name)))
