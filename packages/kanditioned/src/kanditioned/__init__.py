"""Fast, well-conditioned Kolmogorov-Arnold layers, on the backend that is installed.

`layers` makes the layers and networks of any backend, `plot` draws what they have learned,
`estimators` are the networks as scikit-learn estimators, `command` is the console command, and
`kan_layer` the drop-in for version 1.x. No framework is imported before a layer is made.
"""

from __future__ import annotations

from typing import Any

from .layers import KAN, KANLayer
from .plot import plot_edges, plot_layer, plot_network

OF_TORCH = ("exportable", "param_groups")
"""Names that are those of `kanditioned_torch`, imported when they are asked for."""

__all__ = ["KAN", "KANLayer", "plot_edges", "plot_layer", "plot_network"]


def __getattr__(name: str) -> Any:
    if name in OF_TORCH:
        import kanditioned_torch

        return getattr(kanditioned_torch, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
