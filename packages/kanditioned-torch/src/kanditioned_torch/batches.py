"""What the layers of a network are given: passes over data, of any size, one batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kanditioned_spec import validate

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
    if isinstance(data, Tensor):
        validate.last_dimension(where, "data", tuple(data.shape), in_features)
        rows = data.reshape(-1, in_features)
        data = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
    for batch in data:
        x = torch.as_tensor(batch[0] if isinstance(batch, (tuple, list)) else batch)
        validate.floating(where, "data", x.is_floating_point(), x.dtype)
        validate.last_dimension(where, "data", tuple(x.shape), in_features)
        yield x.detach().reshape(-1, in_features)


@torch.no_grad()
def record_layer_inputs(
    where: str,
    network: nn.Module,
    callbacks: Mapping[nn.Module, Callable[[Tensor], None]],
    data: Data,
) -> None:
    """Run a network over data and show each callback the inputs (B, I) of its layer.

    The network runs as it is, in training or in eval mode, but nothing of it changes: no running
    statistics, no random state. Nothing is dropped.

    Args:
        where: The callable that the data are an argument of, for errors.
        network: It.
        callbacks: By layers of the network, the first of which takes the data.
        data: Inputs of the network, or batches of them.
    """
    copies: dict[int, Any] = {}
    twin = copy.deepcopy(network, copies)
    for module in twin.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for layer, call in callbacks.items():
        twin_layer: nn.Module = copies[id(layer)]
        twin_layer.register_forward_pre_hook(lambda _, args, call=call: call(args[0]))
    first: Any = next(iter(callbacks))
    for x in batches(where, data, first.in_features):
        twin(x.to(first.theta.device))
