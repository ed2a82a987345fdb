"""Layers whose parameters are spread over processes, as DTensors.

`fully_shard` and `DistributedDataParallel` need nothing from here. `OutputParallel` splits a layer
by output features; it is given to `torch.distributed.tensor.parallel.parallelize_module`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


def is_distributed(tensor: Tensor) -> bool:
    """Whether a tensor is a DTensor, found without the seconds that importing those takes."""
    return hasattr(tensor, "to_local")


def local_part(tensor: Any) -> Tensor:
    """Return this process's part of a tensor, which is all of it if it is no DTensor."""
    part: Tensor = tensor.to_local() if is_distributed(tensor) else tensor
    return part


def summed_like(value: Tensor, tensor: Any) -> Tensor:
    """Add up a scalar that each process computed from its part of `tensor`, which all then have."""
    if not is_distributed(tensor):
        return value
    from torch.distributed.tensor import DTensor, Partial, Shard

    placements = [
        Partial() if isinstance(placement, Shard) else placement for placement in tensor.placements
    ]
    total: Tensor = DTensor.from_local(value, tensor.device_mesh, placements).full_tensor()
    return total
