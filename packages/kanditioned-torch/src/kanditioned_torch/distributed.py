"""Layers whose parameters are DTensors, spread over processes.

A layer works on its process's part: under `fully_shard` that is all of it while the layer runs, and
under `parallel.OutputParallel` some output features. DTensors are told by their methods, since
importing them takes seconds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def is_distributed(tensor: Tensor) -> bool:
    """Whether a tensor is a DTensor; common types come first: what they lack is slow to find."""
    return type(tensor) not in (nn.Parameter, Tensor) and hasattr(tensor, "to_local")


def local_part(tensor: Any) -> Tensor:
    """Return this process's part of a tensor, which is all of it if it is no DTensor."""
    part: Tensor = tensor.to_local() if is_distributed(tensor) else tensor
    return part


def whole(tensor: Any) -> Tensor:
    """Return all of a tensor; of a DTensor on every process, all of which have to ask."""
    full: Tensor = tensor.full_tensor() if is_distributed(tensor) else tensor
    return full


def assign(tensor: Any, value: Tensor) -> None:
    """Write a whole value to a tensor; to a DTensor the value that the first process has."""
    tensor.copy_(distribute_like(value.to(tensor.dtype), tensor))


def distribute_like(value: Tensor, tensor: Any) -> Tensor:
    """Return a whole value spread over processes as `tensor` is, if it is a DTensor."""
    if not is_distributed(tensor):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value, tensor.device_mesh, tensor.placements)


def spread_like(part: Tensor, tensor: Any, shape: torch.Size) -> Tensor:
    """Take what was computed from the `local_part` of a tensor for a part of something alike.

    Args:
        part: Computed from that part, each feature from the same feature.
        tensor: Perhaps a DTensor.
        shape: Of the whole.
    """
    if not is_distributed(tensor):
        return part
    from torch.distributed.tensor import DTensor

    stride = (shape[1] * shape[2], shape[2], 1)
    return DTensor.from_local(
        part, tensor.device_mesh, tensor.placements, shape=shape, stride=stride
    )


def sum_like(value: Tensor, tensor: Any) -> Tensor:
    """Add up a scalar that each process computed from its part of `tensor`, which all then have."""
    if not is_distributed(tensor):
        return value
    from torch.distributed.tensor import DTensor, Partial, Shard

    placements = [
        Partial() if isinstance(placement, Shard) else placement for placement in tensor.placements
    ]
    total: Tensor = DTensor.from_local(value, tensor.device_mesh, placements).full_tensor()
    return total
