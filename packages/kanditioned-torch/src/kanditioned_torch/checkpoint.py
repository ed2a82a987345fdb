"""Layers and networks to and from the files of `kanditioned_spec.checkpoint`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from kanditioned_spec import checkpoint, validate

from .distributed import whole

if TYPE_CHECKING:
    from .kan import KAN
    from .layer import KANLayer

ARCHITECTURE = "kan"
"""Entry of a network's metadata: the arguments of `KAN` beside its layers, as JSON."""


def config_of(layer: KANLayer) -> checkpoint.LayerConfig:
    """Return what a file says of a layer beside its numbers."""
    return checkpoint.LayerConfig(
        layer.in_features,
        layer.out_features,
        layer.num_control_points,
        layer.spline_width,
        layer.parameterization,
        layer.map.spec.options,
        str(layer.theta.dtype).removeprefix("torch."),
    )


def save_layer(path: str | os.PathLike[str], layer: KANLayer) -> None:
    """Write a layer."""
    checkpoint.write(path, checkpoint.Checkpoint({"layer": _stored(layer)}))


def save_network(path: str | os.PathLike[str], network: KAN) -> None:
    """Write a network: its layers, and what else its state dict holds."""
    layers = {f"layers.{i}": layer for i, layer in enumerate(network.kan_layers())}
    in_layers = {f"{name}.theta" for name in layers}
    tensors = {k: _array(v) for k, v in network.state_dict().items() if k not in in_layers}
    architecture = {
        "norm": network.norm,
        "residual": network.residuals is not None,
        "dropout": network.dropout.p,
    }
    checkpoint.write(
        path,
        checkpoint.Checkpoint(
            {name: _stored(layer) for name, layer in layers.items()},
            tensors,
            {ARCHITECTURE: json.dumps(architecture)},
        ),
    )


def load_layer(
    cls: type[KANLayer], path: str | os.PathLike[str], device: torch.device | str | None, impl: str
) -> KANLayer:
    """Build the layer of a file."""
    return _layer(cls, checkpoint.read(path).only_layer(), device, impl)


def load_network(
    cls: type[KAN], path: str | os.PathLike[str], device: torch.device | str | None, impl: str
) -> KAN:
    """Build the network of a file.

    Raises:
        CheckpointError: The file is damaged, or holds no network.
    """
    from .layer import KANLayer

    content = checkpoint.read(path)
    layers = [_layer(KANLayer, layer, device, impl) for layer in content.layers.values()]
    widths = [layers[0].in_features, *(layer.out_features for layer in layers)]
    if any(layer.in_features != width for layer, width in zip(layers, widths, strict=False)):
        raise _no_network(path, ValueError("its layers do not follow each other"))
    dtype = layers[0].theta.dtype
    try:
        arguments = json.loads(content.metadata[ARCHITECTURE])
        if set(arguments) != {"norm", "residual", "dropout"}:
            raise ValueError("its architecture is not that of a KAN")
        # The smallest layers stand in for those of the file.
        network = cls(
            widths, **arguments, num_control_points=2, init="zero", device=device, dtype=dtype
        )
        network.layers = nn.ModuleList(layers)
        parameters = {f"layers.{i}.theta": layer.theta for i, layer in enumerate(layers)}
        network.load_state_dict(parameters | _tensors(content.tensors, device))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _no_network(path, error) from error
    return network


def _no_network(path: str | os.PathLike[str], error: Exception) -> checkpoint.CheckpointError:
    got = f"{os.fspath(path)!r}: {type(error).__name__}: {str(error)[:300]}"
    remedy = "Nothing was loaded; a single layer is loaded with KANLayer.load."
    return checkpoint.CheckpointError(
        validate.message("KAN.load", "path", "the checkpoint of a network", got, remedy)
    )


def _layer(
    cls: type[KANLayer], stored: checkpoint.Layer, device: torch.device | str | None, impl: str
) -> KANLayer:
    config = stored.config
    options: dict[str, Any] = dict(config.options)
    layer = cls(
        config.in_features,
        config.out_features,
        "zero",
        config.num_control_points,
        config.spline_width,
        config.parameterization,
        impl,
        device=device,
        dtype=getattr(torch, config.dtype),
        **{key: value for key, value in options.items() if key != "spline_width"},
    )
    with torch.no_grad():
        layer.theta.copy_(_tensor(stored.parameters))
    return layer


def _stored(layer: KANLayer) -> checkpoint.Layer:
    return checkpoint.Layer(config_of(layer), _array(layer.theta))


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return a tensor as a file holds it: bfloat16 as its bits."""
    tensor = whole(tensor.detach()).cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.uint16)
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor


def _tensors(
    arrays: Mapping[str, npt.NDArray[Any]], device: torch.device | str | None
) -> dict[str, Tensor]:
    return {name: _tensor(array).to(device) for name, array in arrays.items()}
