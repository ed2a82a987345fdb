"""Curves of the tutorial on shapes: the same data with and without the constraint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from style import COLOURS, MUTED, figure, save

PAGE = Path(__file__).parent.parent / "pages" / "tutorials" / "shapes.md"
LABELS = ("body mass index, kg/m²", "mean blood pressure, mmHg", "logarithm of triglycerides")


def tutorial() -> dict[str, Any]:
    """Return what the page's first two blocks make."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[:2]:
        exec(block, names)
    return names


def main() -> None:
    """Draw each input's curve, the others at their median."""
    made = tutorial()
    x, y, rows = made["x"], made["y"], made["rows"]
    drawing = figure(7.0, 2.4)
    for i, axes in enumerate(drawing.subplots(1, 3, sharey=True)):
        grid = x[rows].median(0).values.repeat(400, 1)
        grid[:, i] = torch.linspace(float(x[rows, i].min()), float(x[rows, i].max()), 400)
        axes.scatter(x[rows, i], y[rows], s=5, color=MUTED, alpha=0.5, linewidths=0)
        for name, colour in (("free", COLOURS[1]), ("rising", COLOURS[0])):
            with torch.no_grad():
                axes.plot(grid[:, i], made[name](grid), color=colour, label=name)
        axes.set_xlabel(LABELS[i])
    drawing.axes[0].set_ylabel("progression, standardised")
    drawing.axes[0].legend()
    save(drawing, "monotone")


if __name__ == "__main__":
    main()
