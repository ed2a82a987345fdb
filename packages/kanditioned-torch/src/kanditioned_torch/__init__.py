"""Fast, well-conditioned Kolmogorov-Arnold layers for PyTorch.

Start at `layer.KANLayer`. `functional.spline_forward` is the layer as a function, `autograd` its
derivatives, `impls` the ways to evaluate them and `selection` which of them runs.
"""

from __future__ import annotations

from .export import exportable
from .functional import spline_forward
from .kan import KAN
from .layer import KANLayer
from .optim import param_groups
from .selection import IMPL_NAMES

__all__ = ["IMPL_NAMES", "KAN", "KANLayer", "exportable", "param_groups", "spline_forward"]
