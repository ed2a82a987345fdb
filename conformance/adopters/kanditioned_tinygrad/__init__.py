"""A KAN layer for tinygrad, written by the porting guide: simple, not fast.

    pip install tinygrad==0.14.0 kanditioned-conformance    # and clang, which tinygrad calls
    DEV=CPU PYTHONPATH=conformance/adopters kanditioned-conformance \
        --backend kanditioned_tinygrad.backend:backend

`functional` is the layer as a function, `layer` the layer with its parameters, and `backend` the
adapter for the kit.
"""

from __future__ import annotations

from .functional import spline_forward
from .layer import KANLayer

__all__ = ["KANLayer", "spline_forward"]
