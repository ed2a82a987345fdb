"""Fast, well-conditioned Kolmogorov-Arnold layers, on the backend that is installed.

`layers` makes the layers and networks of any backend, `plot` draws what they have learned,
`estimators` are the networks as scikit-learn estimators, `command` is the console command, and
`kan_layer` the drop-in for version 1.x. No framework is imported before a layer is made.
"""

from __future__ import annotations

from .layers import KAN, KANLayer

__all__ = ["KAN", "KANLayer"]
