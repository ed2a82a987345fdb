"""Fast, well-conditioned Kolmogorov-Arnold layers for PyTorch.

Start at `layer.KANLayer`. `functional.spline_forward` is the layer as a function, `derivatives` its
derivatives, `impls` the ways to evaluate them and `selection` which of them runs. `network.KAN` is
a stack of layers; what is done to a whole model is a function: `exportable`, `importance`,
`flatten_edges`, `param_groups`, `prune`.
"""

from __future__ import annotations

from .export import exportable
from .functional import spline_forward
from .input_map import InputMap
from .layer import KANLayer
from .network import KAN
from .optim import param_groups
from .pruning import flatten_edges, importance, prune
from .selection import IMPL_NAMES

__all__ = [
    "IMPL_NAMES",
    "KAN",
    "InputMap",
    "KANLayer",
    "exportable",
    "flatten_edges",
    "importance",
    "param_groups",
    "prune",
    "spline_forward",
]
