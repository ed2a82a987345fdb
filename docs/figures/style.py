"""How the figures look, and where they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

FOLDER = Path(__file__).parent.parent / "pages" / "figures"
COLOURS = ("#1f4e79", "#c44e52", "#4c956c", "#8172b3", "#b8860b", "#64b5cd")
"""Told apart by people who do not see all colours."""
MUTED = "#808080"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "svg.fonttype": "path",
    "svg.hashsalt": "kanditioned",
}


def figure(width: float, height: float) -> Figure:
    """Return an empty figure in our style, in inches."""
    matplotlib.rcParams.update(STYLE)
    return Figure(figsize=(width, height), layout="constrained")


def save(drawing: Figure, name: str) -> None:
    """Write a figure as SVG, the same bytes for the same drawing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.svg"
    drawing.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", "utf-8")
