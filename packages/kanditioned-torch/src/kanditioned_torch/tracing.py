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
    """Whether a compiler records what is computed, so that no number can be looked at.

    `torch.compiler.is_compiling()` alone is false, up to PyTorch 2.11, within functions that the
    compiler takes as one operation (`torch.compiler.allow_in_graph`).
    """
    return torch.compiler.is_compiling() or TracingContext.try_get() is not None


def assume_constant_result(function: Callable[P, R]) -> Callable[P, R]:
    """As `torch.compiler.assume_constant_result`, which imports the compiler to set this mark."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function
