"""The picture of the README: how an edge is evaluated, and what the choice of coordinates buys."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from kanditioned.demo.tasks import TASKS
from kanditioned.estimators import training
from kanditioned.estimators.solvers import minimise
from kanditioned.plot import MUTED, SEQUENCE, figure, save, values
from kanditioned_spec import parameterization, penalty
from kanditioned_spec.conditioning import joint_condition
from kanditioned_spec.grid import Grid
from kanditioned_spec.parameterizations.demmler_reinsch import mass_matrix

FILE = Path(__file__).parents[1] / "images" / "overview.svg"
COUNTS = (4, 8, 16, 32, 64, 128, 256, 512)
SMOOTHING = 1e-2
NAMES = {"bspline": "B-spline", "prefix_sum": "prefix sum", "demmler_reinsch": "Demmler–Reinsch"}


def overview(path: str | os.PathLike[str]) -> None:
    """Draw the picture."""
    with figure((7.2, 2.3)) as fig:
        lookup, condition, convergence = fig.subplots(1, 3)
        _lookup(lookup)
        _condition(condition)
        _convergence(convergence)
        save(fig, path)


def _lookup(panel: Any) -> None:
    """Draw the hat functions, a spline, and the two control points that one input reads."""
    points = np.array([0.3, 1.15, 0.7, 1.35, 1.75, 1.1])
    at = Grid(len(points), 4.0).knots()
    x = np.array([0.62])
    for index in range(len(points)):
        hat = np.eye(len(points))[index]
        used = index in (3, 4)
        panel.fill_between(at, 0.45 * hat, color=SEQUENCE[4 if used else 5],
                           alpha=0.45 if used else 0.15, linewidth=0)  # fmt: skip
    panel.plot(at, points, ".-", color=SEQUENCE[0], markersize=5)
    panel.plot(at[3:5], points[3:5], "o", color=SEQUENCE[4], markersize=6)
    y = values(points, x, 4.0)
    panel.plot([x[0], x[0]], [0, y[0]], ":", color=MUTED, linewidth=1)
    panel.plot(x, y, "o", color=SEQUENCE[1], markersize=5)
    panel.annotate("$c_l$", (at[3], points[3]), (-11, 2), textcoords="offset points")
    panel.annotate("$c_{l+1}$", (at[4], points[4]), (-4, 6), textcoords="offset points")
    panel.set(title="an input reads two control points", xlabel="input x", ylabel="s(x)")
    panel.set(ylim=(0, 2.15), yticks=[])


def _condition(panel: Any) -> None:
    """Draw the condition number of the objective over the number of control points."""
    for colour, (name, label) in zip(SEQUENCE, NAMES.items(), strict=False):
        conditions = []
        for count in COUNTS:
            options = (
                {"smoothing": SMOOTHING, "density": "normal"} if name == "demmler_reinsch" else {}
            )
            p = parameterization(name, count, **options)
            conditions.append(
                joint_condition(p, SMOOTHING, mass_matrix(Grid(count, 4.0), "normal"))
            )
        panel.plot(COUNTS, conditions, ".-", color=colour, label=label)
    panel.set(title="condition of data term + λ penalty", xlabel="control points K")
    panel.set(xscale="log", yscale="log", xticks=COUNTS[::2], xticklabels=COUNTS[::2])
    panel.minorticks_off()
    panel.legend()


def _convergence(panel: Any) -> None:
    """Draw the distance to the lowest objective while fitting the diabetes data."""
    task = TASKS[0]
    x, y = task.load()
    scaled = [StandardScaler().fit_transform(array) for array in (x, y[:, None])]
    samples = training.Samples(*scaled, np.ones(len(x)))
    curves = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # which is what the picture shows
        for name in NAMES:
            model = training.build("torch", _network(name))
            curves[name] = np.array(minimise(model, samples, 1000, "overview"))
    lowest = min(curve.min() for curve in curves.values())
    for colour, (name, label) in zip(SEQUENCE, NAMES.items(), strict=False):
        gap = curves[name] - lowest
        gap = gap[gap > 1e-10]
        panel.plot(np.arange(1, len(gap) + 1), gap, color=colour, label=label)
    panel.set(title="objective above its minimum", xlabel="L-BFGS iteration")
    panel.set(xscale="log", yscale="log")


def _network(name: str) -> training.Network:
    """Describe the additive network of the diabetes data in the coordinates of a name."""
    grid = Grid(16, 6.0)
    options: dict[str, Any] = {"parameterization": name}
    if name == "demmler_reinsch":
        options["smoothing"] = penalty.scaling_factor("continuous", grid)
        options["density"] = "normal"
    return training.Network(
        (10, 1), "squared", 1.0, 0, "float64", grid.num_control_points, grid.spline_width,
        lambda count: options,
    )  # fmt: skip


if __name__ == "__main__":
    overview(FILE)
