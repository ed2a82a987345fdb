"""Whether code runs on numbers, or is recorded by a compiler; and what that is told.

The compiler is not imported here: that takes as long as PyTorch itself, and few programs need it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch._guards import TracingContext

P = ParamSpec("P")
R = TypeVar("R")


def is_traced() -> bool:
    """Whether what is computed is recorded, so that no number can be looked at.

    By the compiler, or by `torch.jit.trace`, on which the old ONNX exporter stands.

    `torch.compiler.is_compiling()` alone is false, up to PyTorch 2.11, within functions that the
    compiler takes as one operation (`torch.compiler.allow_in_graph`).
    """
    compiling = torch.compiler.is_compiling() or TracingContext.try_get() is not None
    return compiling or torch._C._is_tracing()


def assume_constant_result(function: Callable[P, R]) -> Callable[P, R]:
    """As `torch.compiler.assume_constant_result`, which imports the compiler to set this mark."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function
