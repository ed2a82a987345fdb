"""The implementations by name, each three functions with the signatures of `base.Impl`.

lookup   read two rows per input and interpolate
dense    the hat basis as a matrix, made a block at a time
pallas   the hat basis in registers: a fused kernel for GPUs, interpreted elsewhere
"""

from __future__ import annotations

from .base import PRECISIONS, Impl
from .dense import dense
from .lookup import lookup
from .pallas import pallas

IMPLS: dict[str, Impl] = {"lookup": lookup, "dense": dense, "pallas": pallas}

__all__ = ["IMPLS", "PRECISIONS", "Impl"]
