"""Models with other layers in the place of theirs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from .layer import KANLayer

Model = TypeVar("Model", bound=nn.Module)


def replace_layers(model: Model, rebuild: Callable[[KANLayer], KANLayer]) -> Model:
    """Return a copy of a model, or of a single layer, with each `KANLayer` rebuilt.

    Ties stay: a layer that occurs in several places is rebuilt once, and layers that share their
    parameters do so afterwards, if they still have the same shape.
    """
    rebuilt: dict[int, KANLayer] = {}
    parameters: dict[int, Tensor] = {}
    for layer in model.modules():
        if not isinstance(layer, KANLayer):
            continue
        new = rebuilt[id(layer)] = rebuild(layer)
        shared = parameters.setdefault(id(layer.theta), new.theta)
        if shared.shape == new.theta.shape:
            new.theta = shared
    # Whatever else refers to a layer, its copy refers to the new one.
    return copy.deepcopy(model, dict(rebuilt))
