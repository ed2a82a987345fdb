"""How pictures look: colours, sizes, and figures made without pyplot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kanditioned_spec import validate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE, DATA, MUTED = "#1f4e79", "#d9d9d9", "#808080"
SEQUENCE = ("#1f4e79", "#c44e52", "#4c956c", "#8172b3", "#b8860b", "#64b5cd")
"""Colours of several curves in one panel, told apart by people who do not see all colours."""
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#606060",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.color": "#404040",
    "ytick.color": "#404040",
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.3,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "kanditioned",
}


@contextmanager
def figure(size: tuple[float, float]) -> Iterator[Figure]:
    """Provide a figure of a size in inches, to be filled under the style of this package.

    Raises:
        ImportError: matplotlib is not installed.
    """
    mpl = validate.import_optional("kanditioned.plot", "matplotlib", "kanditioned[plot]")
    with mpl.rc_context(STYLE):
        yield import_module("matplotlib.figure").Figure(figsize=size, layout="constrained")


def save(fig: Figure, path: str | os.PathLike[str] | None) -> None:
    """Write a figure if there is a path."""
    if path is None:
        return
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        fig.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)
