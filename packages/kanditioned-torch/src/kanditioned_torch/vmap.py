"""How functions of tensors are mapped over one more dimension, for `torch.func.vmap`.

`in_dims` holds, for each argument, the dimension that it is mapped over, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def fold_into_batch(
    function: Callable[..., Tensor], size: int, in_dims: tuple[int | None, ...], args: Any
) -> tuple[Tensor, int]:
    """Evaluate mapped (B, ...) arguments as one batch of size · B rows."""
    folded = [
        argument.movedim(dim, 0).flatten(0, 1) if isinstance(dim, int) else argument
        for argument, dim in zip(args, in_dims, strict=True)
    ]
    result = function(*folded)
    return result.view(size, -1, result.shape[-1]), 0


def one_by_one(
    function: Callable[..., Tensor], size: int, in_dims: tuple[int | None, ...], args: Any
) -> tuple[Tensor, int]:
    """Evaluate a mapped function for each index: control points or their gradient differ."""
    return torch.stack(each(function, size, in_dims, args)), 0


def each(
    function: Callable[..., Any], size: int, in_dims: tuple[int | None, ...], args: Any
) -> list[Any]:
    """Return what a mapped function gives for each index."""
    return [
        function(
            *(
                argument.select(dim, index) if isinstance(dim, int) else argument
                for argument, dim in zip(args, in_dims, strict=True)
            )
        )
        for index in range(size)
    ]
