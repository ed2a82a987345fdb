"""Layers and networks to and from the files of `kanditioned_spec.checkpoint`, bit for bit."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from kanditioned_spec import checkpoint, validate

from .config import Config

if TYPE_CHECKING:
    from .kan import KAN
    from .layer import KANLayer

L = TypeVar("L", bound="KANLayer")
N = TypeVar("N", bound="KAN")

ARCHITECTURE = "kan"
"""Entry of a network's metadata: the arguments of `KAN` beside its layers, as JSON."""


def save_layer(path: str | os.PathLike[str], layer: KANLayer) -> None:
    """Write a layer."""
    checkpoint.write(path, checkpoint.Checkpoint({"layer": _stored(layer)}))


def save_network(path: str | os.PathLike[str], network: KAN) -> None:
    """Write a network. Linear maps are stored as (O, I), as other frameworks have them."""
    architecture = {
        "norm": network.norm,
        "residual": bool(network.residuals),
        "dropout": network.dropout,
    }
    content = checkpoint.Checkpoint(
        {f"layers.{i}": _stored(layer) for i, layer in enumerate(network.layers)},
        {f"residuals.{i}.weight": np.asarray(w).T for i, w in enumerate(network.residuals)},
        {ARCHITECTURE: json.dumps(architecture)},
    )
    checkpoint.write(path, content)


def load_layer(cls: type[L], path: str | os.PathLike[str], impl: str, precision: str | None) -> L:
    """Build the layer of a file."""
    return _layer(cls, checkpoint.read(path).only_layer(), impl, precision)


def load_network(cls: type[N], path: str | os.PathLike[str], impl: str, precision: str | None) -> N:
    """Build the network of a file.

    Raises:
        CheckpointError: The file is damaged, or holds no network that `KAN` can be.
    """
    from .layer import KANLayer

    content = checkpoint.read(path)
    layers = [_layer(KANLayer, stored, impl, precision) for stored in content.layers.values()]
    widths = [layers[0].in_features, *(layer.out_features for layer in layers)]
    try:
        if any(layer.in_features != width for layer, width in zip(layers, widths, strict=False)):
            raise ValueError("its layers do not follow each other")
        arguments = json.loads(content.metadata[ARCHITECTURE])
        dtype = layers[0].theta.dtype
        # The smallest layers stand in for those of the file.
        network = cls(widths, **arguments, num_control_points=2, init="zero", key=0, dtype=dtype)
        names = [f"residuals.{i}.weight" for i in range(len(network.residuals))]
        if set(names) != set(content.tensors):
            raise ValueError(f"its arrays are {sorted(content.tensors)}, not {names}")
        residuals = tuple(_restored(content.tensors[name], dtype.name).T for name in names)
        if [w.shape for w in residuals] != [w.shape for w in network.residuals]:
            raise ValueError("its linear maps do not fit its layers")
    except (KeyError, TypeError, ValueError) as error:
        got = f"{os.fspath(path)!r}: {type(error).__name__}: {str(error)[:300]}"
        remedy = "Nothing was loaded; a single layer is loaded with KANLayer.load."
        raise checkpoint.CheckpointError(
            validate.message("KAN.load", "path", "the checkpoint of a network", got, remedy)
        ) from error
    return cls.of(tuple(layers), residuals, network.norm, network.dropout)


def _stored(layer: KANLayer) -> checkpoint.Layer:
    return checkpoint.Layer(layer.described(), np.asarray(layer.theta))


def _layer(cls: type[L], stored: checkpoint.Layer, impl: str, precision: str | None) -> L:
    config = Config.described(stored.config, impl, precision)
    return cls.of(_restored(stored.parameters, stored.config.dtype), config)


def _restored(array: npt.NDArray[Any], dtype: str) -> jax.Array:
    """Return a file's array, bfloat16 from its bits.

    Raises:
        ValueError: It is float64, and JAX is not set to keep that.
    """
    if jax.dtypes.canonicalize_dtype(dtype).name != dtype:
        remedy = 'First set jax.config.update("jax_enable_x64", True).'
        constraint = "a file of numbers that JAX keeps in its present setting"
        raise ValueError(validate.message("load", "path", constraint, dtype, remedy))
    return jnp.asarray(array.view(jnp.dtype(dtype)))
