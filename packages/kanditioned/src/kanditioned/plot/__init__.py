"""Pictures of what a layer or a network has learned.

`plot_edges` draws control points of any origin (NumPy, PyTorch, JAX), `plot_layer` takes a layer,
`plot_network` a network. matplotlib is imported when something is drawn. Figures are made without
pyplot: no window opens, no global state changes.
"""

from __future__ import annotations

from .curves import importance, values
from .edges import plot_edges, plot_layer
from .network import plot_network
from .style import CURVE, DATA, MUTED, SEQUENCE, STYLE, figure, save

__all__ = [
    "CURVE",
    "DATA",
    "MUTED",
    "SEQUENCE",
    "STYLE",
    "figure",
    "importance",
    "plot_edges",
    "plot_layer",
    "plot_network",
    "save",
    "values",
]
