"""What the layers of a network are given: passes over data, of any size, one batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from kanditioned_spec import validate

from .arguments import check_tensor

Data = Tensor | Iterable[Any]
"""Inputs (..., I), or batches of them: tensors, or tuples as of a data loader, inputs first."""

_ROWS = 8192
"""A tensor is cut into batches of this many rows, so that temporaries stay small."""


def batches(where: str, data: Data, in_features: int) -> Iterator[Tensor]:
    """Iterate over `data` as matrices (B, I).

    Raises:
        TypeError: A batch does not hold floating numbers.
        ValueError: A batch has another number of features.
    """
    if isinstance(data, np.ndarray):
        data = inputs_of(where, data)
    if isinstance(data, Tensor):
        validate.last_dimension(where, "data", tuple(data.shape), in_features)
        rows = data.reshape(-1, in_features)
        data = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
    if not isinstance(data, Iterable) or isinstance(data, str | bytes):
        remedy = "Batches are tensors (..., in_features), or tuples with the inputs first."
        got = f"a {type(data).__name__}"
        raise TypeError(validate.message(where, "data", "a tensor or batches", got, remedy))
    for batch in data:
        x = inputs_of(where, batch)
        validate.last_dimension(where, "data", tuple(x.shape), in_features)
        yield x.detach().reshape(-1, in_features)


def inputs_of(where: str, batch: Any) -> Tensor:
    """Return the inputs of a batch: itself, or the first of a tuple or list.

    Raises:
        TypeError: They are no floating numbers.
    """
    try:
        x = torch.as_tensor(batch[0] if isinstance(batch, (tuple, list)) and batch else batch)
    except (TypeError, ValueError, RuntimeError):
        remedy = "Batches are tensors (..., in_features), or tuples with the inputs first."
        got = f"a batch that is a {type(batch).__name__}"
        raise TypeError(validate.message(where, "data", "of tensors", got, remedy)) from None
    check_tensor(where, "data", x)
    return x


class Stack(Protocol):
    """Layers one after the other: a network, for what stands below it."""

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, each with `in_features` and `theta`."""

    def __call__(self, x: Tensor) -> Tensor:
        """Evaluate the network."""


@torch.no_grad()
def record_layer_inputs(
    where: str, network: Stack, data: Data, callbacks: Iterable[Callable[[Tensor], None]]
) -> None:
    """Run a network over data and show each callback the inputs (B, I) of its layer, in order.

    The network runs as it is, in training or in eval mode, but nothing of it changes: no running
    statistics, no random state. Nothing is dropped.
    """
    twin: Any = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for layer, call in zip(twin.layers, callbacks, strict=True):
        layer.register_forward_pre_hook(lambda _, args, call=call: call(args[0]))
    first: Any = twin.layers[0]
    for x in batches(where, data, first.in_features):
        twin(x.to(first.theta.device))
