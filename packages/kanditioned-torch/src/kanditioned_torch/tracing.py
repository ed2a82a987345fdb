"""Whether code runs on numbers, or is recorded by a compiler."""

from __future__ import annotations

import torch
from torch._guards import TracingContext


def is_traced() -> bool:
    """Whether a compiler records what is computed, so that no number can be looked at.

    `torch.compiler.is_compiling()` alone is false, up to PyTorch 2.11, within functions that the
    compiler takes as one operation (`torch.compiler.allow_in_graph`).
    """
    return torch.compiler.is_compiling() or TracingContext.try_get() is not None
