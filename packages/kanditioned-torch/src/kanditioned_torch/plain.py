"""Whether PyTorch would do anything at a call but to run a kernel on the numbers of its tensors.

Its dispatcher takes 5 µs to find that out for an operator with seven arguments, and recording takes
20 more: as much as a small layer itself. What would stand between is looked for here instead, in
1 µs; where there is anything, the usual way is gone, whatever it costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

_TYPES = (Tensor, nn.Parameter)


def dispatches() -> bool:
    """Whether somebody looks at operators: a transform, a mode, a recorder or the profiler."""
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._is_torch_function_mode_enabled()
        or torch._C._are_functorch_transforms_active()
        or torch._C._is_tracing()
        or torch._C._dispatch_tls_is_dispatch_key_included(torch._C.DispatchKey.PreDispatch)
        or torch._C._autograd._profiler_enabled()
    )


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is dense, on the CPU, and no more than its numbers in memory."""
    return (
        type(tensor) in _TYPES
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and not tensor.is_neg()
        and not tensor._is_zerotensor()
        and not torch._C._dispatch_isTensorSubclassLike(tensor)
    )


def records(*tensors: Tensor) -> bool:
    """Whether derivatives of what is computed from tensors are recorded, in reverse or forward."""
    if forward_ad._current_level >= 0:
        return True
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def apply_of(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """Return what evaluates a function: one of three ways, each the cheapest that suffices.

    Under `torch.func` only `apply` itself sees the transforms. Where nothing is recorded, neither
    for reverse nor for forward mode, the forward is called as it is; also by `torch.jit.trace`,
    which would take what a `Function` returns for a constant. Else `apply` would do, but without
    transforms it comes to its C++ base class's, once it has bound the arguments to a signature:
    35 µs of a small layer's 80 (torch 2.13, Zen 4, 2026-11).
    """
    if torch._C._are_functorch_transforms_active():
        return function.apply
    recorded = torch.is_grad_enabled() and not torch._C._is_tracing()
    if not recorded and forward_ad._current_level < 0:
        evaluate: Callable[..., Any] = function.forward
        return evaluate
    plain: Callable[..., Any] = super(torch.autograd.Function, function).apply  # type: ignore[misc]
    return plain
