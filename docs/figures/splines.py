"""The layer's functions: hat functions, a spline with its straight continuation, its slope."""

from __future__ import annotations

import numpy as np
from style import COLOURS, MUTED, figure, save

from kanditioned_spec import reference
from kanditioned_spec.grid import Grid

COUNT, WIDTH = 6, 4.0
POINTS = np.array([0.2, 1.1, -0.4, 0.5, 1.6, 0.9])


def hats() -> None:
    """Draw the weights of the control points as functions of x."""
    x = np.linspace(-2.9, 2.9, 581)[:, None]
    values = reference.forward(x, np.eye(COUNT)[None], WIDTH)
    drawing = figure(6.4, 2.2)
    axes = drawing.subplots()
    for k in range(COUNT):
        axes.plot(x[:, 0], values[:, k], color=COLOURS[k], label=f"φ{'₀₁₂₃₄₅'[k]}")
    for end in (-WIDTH / 2, WIDTH / 2):
        axes.axvline(end, color=MUTED, linewidth=0.8, linestyle=":")
    axes.axhline(0, color=MUTED, linewidth=0.5)
    axes.set(xlabel="x", ylim=(-1.25, 2.25), xticks=[-2, -1.2, -0.4, 0.4, 1.2, 2])
    axes.legend(ncols=6, loc="upper center", columnspacing=1, handlelength=1)
    save(drawing, "hats")


def spline() -> None:
    """Draw one spline, its control points and its slope."""
    x = np.linspace(-2.9, 2.9, 1161)[:, None]
    c = POINTS[None, :, None]
    slope = reference.jvp(x, c, WIDTH, np.ones_like(x))
    drawing = figure(6.4, 3.4)
    value_axes, slope_axes = drawing.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    value_axes.plot(x, reference.forward(x, c, WIDTH), color=COLOURS[0])
    value_axes.plot(Grid(COUNT, WIDTH).knots(), POINTS, "o", color=COLOURS[1], markersize=5)
    names = zip(Grid(COUNT, WIDTH).knots(), POINTS, "₀₁₂₃₄₅", strict=True)
    for knot, point, index in names:
        value_axes.annotate(f"c{index}", (knot, point), (6, 5), textcoords="offset points")
    value_axes.set(ylabel="s(x)")
    gaps = np.where(np.diff(slope[:, 0], append=0) != 0, np.nan, slope[:, 0])
    slope_axes.plot(x, gaps, color=COLOURS[0])
    starts = Grid(COUNT, WIDTH).knots()[1:-1]
    right = reference.jvp(starts[:, None], c, WIDTH, np.ones((len(starts), 1)))
    slope_axes.plot(starts, right, "o", color=COLOURS[0], markersize=4)
    slope_axes.set(ylabel="s′(x)", xlabel="x")
    for axes in (value_axes, slope_axes):
        for end in (-WIDTH / 2, WIDTH / 2):
            axes.axvline(end, color=MUTED, linewidth=0.8, linestyle=":")
    save(drawing, "spline")


if __name__ == "__main__":
    hats()
    spline()
