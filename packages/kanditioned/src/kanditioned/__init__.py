"""Fast, well-conditioned Kolmogorov-Arnold layers, on the backend that is installed.

`KANLayer` and `KAN` are the classes of the selected backend (see `backends`), imported when they
are first used; `kanditioned.torch` and `kanditioned.jax` have those of a backend by name. `load`
reads a layer or a network, `export` writes one as a program, `plot` draws what they have learned,
`estimators` are the networks as scikit-learn estimators, `command` is the console command, and
`kan_layer` the drop-in for version 1.x. No framework is imported before a layer is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .backends import FROM_BACKEND, load, package, packages
from .export import export
from .plot import plot_edges, plot_layer, plot_network

if TYPE_CHECKING:  # PyTorch stands for every backend: it is the first of the default order
    from kanditioned_torch import (
        KAN,
        KANLayer,
        exportable,
        flatten_edges,
        importance,
        param_groups,
        prune,
        spline_forward,
    )

    from . import jax, torch

__all__ = [
    "KAN",
    "KANLayer",
    "export",
    "exportable",
    "flatten_edges",
    "importance",
    "jax",
    "load",
    "param_groups",
    "plot_edges",
    "plot_layer",
    "plot_network",
    "prune",
    "spline_forward",
    "torch",
]


def __getattr__(name: str) -> Any:
    if name in FROM_BACKEND:
        return getattr(package(), name)
    if name in packages():
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
