"""One spline of a thousand control points on noisy data: `python -m benchmarks.studies.thousand`.

Every parameterization starts from zero and takes the same steps of Adam on the same objective, mean
squared error + λ ‖D c‖², each at the learning rate that is first within 1e-4 of the gap to the
optimum, or ends lowest. Rows hold that gap, of an optimum known in closed form, and the distance
from the function behind the noise. The animation, `results/plots/thousand.gif`, shows the splines
on their way.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from tqdm import tqdm

from kanditioned_spec.grid import Array, Grid

from .. import machine
from ..results import FOLDER, Table
from .conditioning import GAP, NAMES, WIDTH, Objective, adam_step, make_parameterization, target

COUNT, SMOOTHING = 1000, 100.0
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
REPORTED = (10, 30, 100, 300, 1000)
FRAMES = tuple(sorted({*REPORTED, *np.geomspace(1, REPORTED[-1], 60).astype(int).tolist()}))


class Path(NamedTuple):
    """How one parameterization went, at its best learning rate.

    Attributes:
        rate: That learning rate.
        gaps: (f - f*) / (f(0) - f*) after each iteration.
        control_points: After each of `FRAMES`.
    """

    rate: float
    gaps: Array
    control_points: list[Array]


def adam(a: Array, b: Array, rates: Array, iterations: int) -> tuple[Array, list[Array]]:
    """Minimise ‖A θ - b‖² from zero at several learning rates, a column each.

    Returns:
        The objective after each iteration, (iterations, rates), and θ after each of `FRAMES`.
    """
    theta, m, v = (np.zeros((a.shape[1], len(rates))) for _ in range(3))
    values, frames = np.empty((iterations, len(rates))), []
    residual = -np.repeat(b[:, None], len(rates), 1)
    for iteration in range(1, iterations + 1):
        gradient = 2 * a.T @ residual
        step, m, v = adam_step(gradient, m, v, iteration)
        theta = theta - rates * step
        residual = a @ theta - b[:, None]
        values[iteration - 1] = np.sum(residual**2, 0)
        if iteration in FRAMES:
            frames.append(theta)
    return values, frames


def path(objective: Objective, name: str, count: int, smoothing: float) -> Path:
    """Return the way of a parameterization at its best learning rate."""
    p = make_parameterization(name, count, smoothing, "uniform")
    values, frames = adam(*objective.in_coordinates(p), np.array(RATES), REPORTED[-1])
    best = best_rate(values / objective.start)
    control_points = [p.control_points(theta[:, best : best + 1])[:, 0] for theta in frames]
    return Path(RATES[best], values[:, best] / objective.start, control_points)


def best_rate(gaps: Array) -> int:
    """Return the column that is first at `GAP`, or ends lowest, of gaps (iterations, rates)."""
    reached = np.where((gaps <= GAP).any(0), (gaps <= GAP).argmax(0), len(gaps))
    return int(np.lexsort((gaps[-1], reached))[0])


def distance(control_points: Array) -> float:
    """Return the relative L2 distance from the function behind the noise, at the knots."""
    want = target(Grid(len(control_points), WIDTH).knots())
    return float(np.linalg.norm(control_points - want) / np.linalg.norm(want))


def animate(objective: Objective, paths: dict[str, Path]) -> None:
    """Write the animation."""
    figure, grid = plt.subplots(
        2, 3, figsize=(9, 5), layout="constrained", sharex=True, sharey=True
    )
    x = Grid(COUNT, WIDTH).knots()
    curves = []
    for axes, (name, way) in zip(grid.flat, paths.items(), strict=True):
        axes.plot(objective.x[:300], objective.y[:300], ".", c="0.8", markersize=3)
        axes.plot(x, objective.optimum, c="0.4", linewidth=1, linestyle="--")
        curves += axes.plot(x, way.control_points[0], c="C3", linewidth=1.5)
        axes.set(title=f"{name}, rate {way.rate:g}", ylim=(-3, 3))

    def draw(frame: int) -> list[Any]:
        for curve, way in zip(curves, paths.values(), strict=True):
            curve.set_ydata(way.control_points[frame])
        figure.suptitle(f"K = {COUNT}, Adam, iteration {FRAMES[frame]}; dashed: the optimum")
        return curves

    frames = [*range(len(FRAMES)), *[len(FRAMES) - 1] * 15]  # the last stands a while
    (FOLDER / "plots").mkdir(parents=True, exist_ok=True)
    FuncAnimation(figure, draw, frames, cache_frame_data=False).save(
        FOLDER / "plots" / "thousand.gif", PillowWriter(fps=10), dpi=80
    )
    plt.close(figure)


def main() -> None:
    """Fit with every parameterization, write rows and animation."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.studies.thousand", description=__doc__
    ).parse_args()
    key = ("name", "iterations", "learning_rate", "count", "smoothing")
    table = Table(FOLDER / "thousand.csv", key)
    objective = Objective(COUNT, SMOOTHING, "uniform")
    paths = {n: path(objective, n, COUNT, SMOOTHING) for n in tqdm(NAMES, desc="thousand")}
    described = machine.description("cpu", 1)
    for name, way in paths.items():
        for iterations in REPORTED:
            row = {
                "name": name,
                "iterations": iterations,
                "learning_rate": way.rate,
                "gap": f"{way.gaps[iterations - 1]:.3g}",
                "error": f"{distance(way.control_points[FRAMES.index(iterations)]):.4g}",
                "optimum_error": f"{distance(objective.optimum):.4g}",
                "count": COUNT,
                "smoothing": SMOOTHING,
            }
            if row not in table:
                table.append({**row, **described})
    animate(objective, paths)


if __name__ == "__main__":
    main()
