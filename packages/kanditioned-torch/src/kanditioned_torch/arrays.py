"""Tensors to and from the arrays of `kanditioned_spec.checkpoint`, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from kanditioned_spec import validate

from .distributed import whole


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a dtype in the spec."""
    return str(dtype).removeprefix("torch.")


def to_array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return a tensor as a file holds it: bfloat16 as its bits."""
    tensor = whole(tensor.detach()).cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.uint16)
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def to_tensor(array: npt.NDArray[Any], device: torch.device | str | None) -> Tensor:
    """Return a copy of a file's array as a tensor."""
    tensor = torch.from_numpy(np.array(array))
    return (tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor).to(device)


def to_float64(tensor: Tensor) -> npt.NDArray[np.float64]:
    """Return the values of a tensor on the CPU."""
    array: npt.NDArray[np.float64] = whole(tensor.detach()).double().cpu().numpy()
    return array


def check_names(where: str, module: nn.Module, names: set[str]) -> None:
    """Check that a file of tensors with these names would hold all of a module.

    Raises:
        ValueError: It has others; the message names them.
    """
    others = sorted(module.state_dict().keys() ^ names)
    if others:
        constraint, remedy = "a network as it is made", "Save its state dict instead."
        got = f"one that differs in {', '.join(others)}"
        raise ValueError(validate.message(where, "self", constraint, got, remedy))
