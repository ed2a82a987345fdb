"""Fast, well-conditioned Kolmogorov-Arnold layers for JAX.

Start at `layer.KANLayer`. `functional.spline_forward` is the layer as a function, `derivatives` its
derivatives, `impls` the ways to evaluate them and `selection` which of them runs. `optim`
smooths by weight decay under optax, which it imports when it is used; `nnx` has the layers as Flax
NNX modules and is imported on its own.
"""

from __future__ import annotations

from .functional import spline_forward
from .input_map import InputMap
from .layer import KANLayer
from .network import KAN
from .optim import add_curvature_decay
from .pruning import importance, prune
from .selection import IMPL_NAMES

__all__ = [
    "IMPL_NAMES",
    "KAN",
    "InputMap",
    "KANLayer",
    "add_curvature_decay",
    "importance",
    "prune",
    "spline_forward",
]
