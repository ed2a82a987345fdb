"""Fast, well-conditioned Kolmogorov-Arnold layers for JAX.

Start at `layer.KANLayer`. `functional.spline_forward` is the layer as a function, `autodiff` its
derivatives, `impls` the ways to evaluate them and `selection` which of them runs. `nnx` has the
layers as Flax NNX modules and is imported on its own.
"""

from __future__ import annotations

from .functional import spline_forward
from .kan import KAN
from .layer import KANLayer
from .selection import IMPL_NAMES

__all__ = ["IMPL_NAMES", "KAN", "KANLayer", "spline_forward"]
