"""What one parameter does, and the condition numbers of the parameterizations."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from style import COLOURS, MUTED, figure, save

from kanditioned_spec import Grid, parameterization
from kanditioned_spec.conditioning import joint_condition, penalty_condition
from kanditioned_spec.parameterizations.dct import dct_matrix
from kanditioned_spec.parameterizations.demmler_reinsch import mass_matrix
from kanditioned_spec.penalty import second_difference_matrix

SHOWN: dict[str, dict[str, Any]] = {
    "bspline": {},
    "prefix_sum": {},
    "dct": {},
    "legendre": {},
    "demmler_reinsch": {"smoothing": 1e-2},
}
COUNTS = (4, 8, 16, 32, 64, 128, 256, 512)


def bases() -> None:
    """Draw some columns of T: the function that one parameter adds."""
    count, columns = 16, (0, 1, 2, 5, 9)
    drawing = figure(7, 5.2)
    grid = drawing.subplots(len(SHOWN), len(columns), sharex=True)
    for row, (name, options) in zip(grid, SHOWN.items(), strict=True):
        matrix = parameterization(name, count, **options).matrix()
        limit = 1.15 * np.abs(matrix[:, columns]).max(axis=0)
        for axes, column, bound in zip(row, columns, limit, strict=True):
            axes.axhline(0, color=MUTED, linewidth=0.5)
            axes.plot(matrix[:, column], color=COLOURS[0], marker=".", markersize=3)
            axes.set(xticks=[], ylim=(-bound, bound))
            axes.tick_params(labelsize=6, length=2)
        row[0].set_ylabel(name, fontsize=8)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(f"θ{str(column).translate(str.maketrans('0123456789', '₀₁₂₃₄₅₆₇₈₉'))}")
    save(drawing, "bases")


def penalty_conditions() -> None:
    """Draw the condition of the penalty as K grows, with and without the correction of the DCT."""
    drawing = figure(4.6, 2.9)
    axes = drawing.subplots()
    for name, colour in zip(("bspline", "prefix_sum", "dct"), COLOURS, strict=False):
        values = [penalty_condition(parameterization(name, k)) for k in COUNTS]
        label = "bspline, legendre" if name == "bspline" else name
        style = "--" if name == "dct" else "-"
        axes.loglog(COUNTS, values, style, color=colour, label=label, base=2)
    plain = [_plain_dct_condition(k) for k in COUNTS]
    axes.loglog(COUNTS, plain, ":", color=COLOURS[3], label="dct without correction", base=2)
    _finish(axes, "cond(TᵀDᵀDT) off the null space")
    save(drawing, "penalty-conditions")


def joint_conditions() -> None:
    """Draw the condition of the whole objective for one layer as K grows."""
    drawing = figure(7, 2.9)
    for axes, smoothing in zip(drawing.subplots(1, 2, sharey=True), (1e-6, 1.0), strict=True):
        for name, colour in zip(SHOWN, COLOURS, strict=False):
            values = [_joint(name, k, smoothing) for k in COUNTS]
            dashes = "--" if name == "legendre" else "-"
            axes.loglog(COUNTS, values, dashes, color=colour, label=name, base=2)
        _finish(axes, f"λ = {smoothing:g}")
        axes.get_legend().remove()
    handles, labels = axes.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=5)
    save(drawing, "joint-conditions")


def scan_error() -> None:
    """Draw what float32 second differences of scan-built control points lose."""
    counts = tuple(2**n for n in range(3, 13))
    rng = np.random.default_rng(0)
    errors = []
    for count in counts:
        p = parameterization("prefix_sum", count)
        theta = (rng.standard_normal((64, count, 1)) / p.scale).astype(np.float32)
        theta[:, 2:] /= count
        slopes = np.cumsum(theta[:, 1:], axis=1, dtype=np.float32)
        start = np.concatenate([np.zeros_like(theta[:, :1]), slopes], axis=1)
        c = theta[:, :1] + np.cumsum(start, axis=1, dtype=np.float32)
        bent = c[:, 2:] - 2 * c[:, 1:-1] + c[:, :-2]
        want = (theta[:, 2:].astype(np.float64) ** 2).sum((1, 2))
        errors.append(np.median(np.abs((bent.astype(np.float64) ** 2).sum((1, 2)) / want - 1)))
    drawing = figure(4.6, 2.6)
    axes = drawing.subplots()
    axes.loglog(counts, errors, "o-", color=COLOURS[0], markersize=4, base=2)
    axes.set_yscale("log", base=10)
    axes.set(xlabel="K", ylabel="relative error of ‖D c‖²")
    axes.grid(color="#e5e5e5", linewidth=0.5)
    save(drawing, "scan-error")


def _joint(name: str, count: int, smoothing: float) -> float:
    options = {"smoothing": smoothing, "density": "uniform"} if name == "demmler_reinsch" else {}
    p = parameterization(name, count, **options)
    return joint_condition(p, smoothing, mass_matrix(Grid(count, 4.0), "uniform"))


def _plain_dct_condition(count: int) -> float:
    """The condition of the penalty in DCT coefficients that are scaled but not corrected."""
    eigenvalues = 2 - 2 * np.cos(np.pi * np.arange(1, count) / count)
    t = dct_matrix(count).T[:, 1:] / eigenvalues
    singular_values = np.linalg.svd(second_difference_matrix(count) @ t, compute_uv=False)
    return float((singular_values[0] / singular_values[count - 3]) ** 2)


def _finish(axes: Axes, title: str) -> None:
    axes.set_yscale("log", base=10)
    axes.set(title=title, xlabel="K")
    axes.grid(color="#e5e5e5", linewidth=0.5)
    axes.legend()


if __name__ == "__main__":
    bases()
    penalty_conditions()
    joint_conditions()
    scan_error()
