"""What the layers of a network are given: passes over data, of any size, one batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kanditioned_spec import validate

if TYPE_CHECKING:
    from .kan import KAN

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
def observe(
    where: str, network: KAN, data: Data, watchers: Iterable[Callable[[Tensor], None]]
) -> None:
    """Run a network over data and show each watcher the inputs (B, I) of its layer, in order.

    The network runs as it is, in training or in eval mode, but nothing of it changes: no running
    statistics, no random state. Nothing is dropped.
    """
    twin = copy.deepcopy(network)
    twin.dropout.p = 0.0
    for layer, watch in zip(twin.kan_layers(), watchers, strict=True):
        layer.register_forward_pre_hook(lambda _, args, watch=watch: watch(args[0]))
    first = next(twin.kan_layers())
    for x in batches(where, data, first.in_features):
        twin(x.to(first.theta.device))
