"""Condition numbers of one layer, and what they cost: `python -m benchmarks.studies.conditioning`.

The objective of one edge is the regularised least-squares spline,

    f(θ) = mean (s(x) - y)² + λ ‖D c‖²,    c = T θ,

whose optimum is known in closed form. `conditions` tabulates the condition of its parts,
`convergence` the iterations of optimizers from θ = 0 until f - f* <= 1e-4 (f(0) - f*), and
`durations` the time that those take.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from tqdm import tqdm

from kanditioned_spec import parameterization
from kanditioned_spec.conditioning import joint_condition, penalty_condition
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.parameterizations import Parameterization
from kanditioned_spec.parameterizations.demmler_reinsch import mass_matrix
from kanditioned_spec.penalty import second_difference_matrix
from kanditioned_torch import KANLayer

from .. import machine
from ..results import FOLDER, Table
from ..tune import measurement

NAMES = ("bspline", "prefix_sum", "parallel_scan", "dct", "legendre", "demmler_reinsch")
COUNTS = (8, 32, 128, 512, 2048)
SMOOTHINGS = (1e-8, 1e-4, 1.0, 1e4, 1e8)
DENSITIES = ("uniform", "normal")
WIDTH, SAMPLES, GAP = 4.0, 4096, 1e-4
LEARNING_RATES = (1e-3, 1e-2, 1e-1, 1.0)
MOST_ITERATIONS = 10_000
EDGES = 64
"""Of which an iteration is timed."""


def make_parameterization(
    name: str, count: int, smoothing: float, density: str
) -> Parameterization:
    """Return a parameterization, `demmler_reinsch` for the objective's own λ and density."""
    return parameterization(name, count, **options(name, smoothing, density, spline_width=WIDTH))


def options(name: str, smoothing: float, density: str, **others: Any) -> dict[str, Any]:
    """Return what `demmler_reinsch` is made for, and nothing for the others."""
    if name != "demmler_reinsch":
        return {}
    return {"smoothing": smoothing, "density": density, **others}


def conditions(given: argparse.Namespace) -> None:
    """Tabulate the conditions of the penalty, of the data term (λ = 0) and of both together."""
    table = Table(FOLDER / "conditions.csv", ("part", "density", "count", "smoothing", "name"))
    cells: list[tuple[str, str, int, float, str]] = []
    for count, name in itertools.product(given.counts, NAMES):
        cells.append(("penalty", "", count, 0.0, name))
        for density in given.densities:
            cells.append(("data", density, count, 0.0, name))
            cells += [("joint", density, count, s, name) for s in given.smoothings]
    for cell in tqdm(cells, desc="conditions"):
        row: dict[str, Any] = dict(zip(table.key, cell, strict=True))
        if row in table:
            continue
        part, density, count, smoothing, name = cell
        p = make_parameterization(name, count, smoothing, density or "uniform")
        if part == "penalty":
            row["condition"] = f"{penalty_condition(p):.6g}"
        else:
            row["condition"] = f"{joint_condition(p, smoothing, mass(count, density)):.6g}"
        table.append({**row, **_machine()})


@lru_cache
def mass(count: int, density: str) -> Array:
    """Return the mass matrix of an input density."""
    return mass_matrix(Grid(count, WIDTH), density)


def target(x: Array) -> Array:
    """Return what is fitted, without its noise."""
    y: Array = np.sin(4 * x) + 0.5 * x
    return y


class Objective:
    """The quadratic f - f* = ‖R (T θ - c*)‖², R the triangular factor of data and penalty.

    Args:
        count: K.
        smoothing: λ.
        density: Of the inputs.

    Attributes:
        x, y: The samples.
        optimum: c*, the control points of the optimum.
        start: f(0) - f*.
    """

    def __init__(self, count: int, smoothing: float, density: str) -> None:
        rng = np.random.default_rng(0)
        x = rng.uniform(-WIDTH / 2, WIDTH / 2, SAMPLES)
        if density == "normal":
            x = rng.normal(size=SAMPLES)
        y = target(x) + 0.3 * rng.normal(size=SAMPLES)
        interval, fraction = Grid(count, WIDTH).locate(x)
        basis = np.zeros((SAMPLES, count))
        rows = np.arange(SAMPLES)
        basis[rows, interval], basis[rows, interval + 1] = 1 - fraction, fraction
        bent = np.sqrt(smoothing) * second_difference_matrix(count)
        stacked = np.vstack([basis / np.sqrt(SAMPLES), bent])
        values = np.concatenate([y / np.sqrt(SAMPLES), np.zeros(count - 2)])
        self.optimum = np.linalg.lstsq(stacked, values, rcond=None)[0]
        self.x, self.y = x, y
        self.factor = np.linalg.qr(stacked, mode="r")
        self.start = float(np.sum((self.factor @ self.optimum) ** 2))

    def in_coordinates(self, p: Parameterization) -> tuple[Array, Array]:
        """Return A = R T and b = R c*, of f - f* = ‖A θ - b‖²."""
        return self.factor @ p.matrix(), self.factor @ self.optimum


def adam_step(gradient: Array, m: Array, v: Array, iteration: int) -> tuple[Array, Array, Array]:
    """Return Adam's step at learning rate 1, and its moments (D. Kingma, J. Ba, ICLR 2015)."""
    m = 0.9 * m + 0.1 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    step: Array = m / (1 - 0.9**iteration) / (np.sqrt(v / (1 - 0.999**iteration)) + 1e-8)
    return step, m, v


def first_order(a: Array, b: Array, start: float) -> Iterator[tuple[str, float, int | None]]:
    """Run gradient descent, Adam and AdamW side by side, a column each.

    Gradient descent takes its best constant step, 2 / (largest + smallest curvature); Adam and
    AdamW (decay 0.01, PyTorch's default) every learning rate of `LEARNING_RATES`.

    Yields:
        Optimizer, learning rate, and iterations until the gap is closed, None if it never is.
    """
    curvatures = 2 * np.linalg.svd(a, compute_uv=False) ** 2
    best_step = 2 / (curvatures[0] + curvatures[min(a.shape) - 1])
    rates = np.array([best_step, *LEARNING_RATES, *LEARNING_RATES])
    kinds = ["gd", *["adam"] * len(LEARNING_RATES), *["adamw"] * len(LEARNING_RATES)]
    adaptive = np.array([kind != "gd" for kind in kinds])
    decay = np.array([0.01 * (kind == "adamw") for kind in kinds])
    theta, m, v = (np.zeros((a.shape[1], len(kinds))) for _ in range(3))
    reached: list[int | None] = [None] * len(kinds)
    with np.errstate(over="ignore", invalid="ignore"):
        for iteration in range(1, MOST_ITERATIONS + 1):
            gradient = 2 * a.T @ (a @ theta - b[:, None])
            scaled, m, v = adam_step(gradient, m, v, iteration)
            theta = theta * (1 - rates * decay) - rates * np.where(adaptive, scaled, gradient)
            gap = np.sum((a @ theta - b[:, None]) ** 2, 0)
            for column in np.flatnonzero(gap <= GAP * start):
                reached[column] = reached[column] or iteration
            if all(reached):
                break
    yield from zip(kinds, rates, reached, strict=True)


def quasi_newton(a: Array, b: Array, start: float) -> int | None:
    """Return the gradient evaluations that L-BFGS needs to close the gap, None if it never does."""
    calls: list[float] = []

    def gap(theta: Array) -> tuple[float, Array]:
        residual = a @ theta - b
        calls.append(float(residual @ residual))
        return calls[-1] / start, 2 * a.T @ residual / start

    limits = {"maxiter": MOST_ITERATIONS, "maxfun": MOST_ITERATIONS, "ftol": 0.0, "gtol": 0.0}
    minimize(gap, np.zeros(a.shape[1]), jac=True, method="L-BFGS-B", options=limits)
    return next((n for n, value in enumerate(calls, 1) if value <= GAP * start), None)


def convergence(given: argparse.Namespace) -> None:
    """Count iterations per parameterization, optimizer and learning rate."""
    key = ("density", "count", "smoothing", "name", "optimizer", "learning_rate")
    table = Table(FOLDER / "convergence.csv", key)
    done = {tuple(row[k] for k in key[:4]) for row in table.rows}
    cells = list(itertools.product(given.densities, given.counts, given.smoothings, NAMES))
    for density, count, smoothing, name in tqdm(cells, desc="convergence"):
        if (density, str(count), str(smoothing), name) in done:
            continue
        objective = Objective(count, smoothing, density)
        p = make_parameterization(name, count, smoothing, density)
        a, b = objective.in_coordinates(p)
        outcomes = [*first_order(a, b, objective.start)]
        outcomes.append(("lbfgs", 0.0, quasi_newton(a, b, objective.start)))
        seconds = _gradient_seconds(p, count)
        for optimizer, rate, iterations in outcomes:
            row = dict(zip(key, (density, count, smoothing, name, optimizer), strict=False))
            row |= {"learning_rate": f"{rate:.3g}", "iterations": iterations or "never"}
            row["transform_us"] = round(seconds * 1e6, 1)
            table.append({**row, **_machine()})


def durations(given: argparse.Namespace) -> None:
    """Multiply the fewest iterations to the optimum by the time of one, in a PyTorch layer."""
    key = ("density", "count", "smoothing", "name", "optimizer")
    fewest: dict[tuple[str, ...], int] = {}
    for row in Table(FOLDER / "convergence.csv", ()).rows:
        if row["iterations"] != "never":
            cell = tuple(row[k] for k in key)
            fewest[cell] = min(int(row["iterations"]), fewest.get(cell, MOST_ITERATIONS))
    table = Table(FOLDER / "durations.csv", key)
    seconds: dict[str, dict[str, float]] = {}
    for cell, iterations in tqdm(fewest.items(), desc="durations"):
        row = dict(zip(key, cell, strict=True))
        if row in table:
            continue
        count = row["count"]
        if count not in seconds:
            seconds[count] = _iteration_seconds(int(count))
        one = seconds[count][row["name"]]
        row |= {"iterations": str(iterations), "iteration_us": f"{one * 1e6:.4g}"}
        table.append({**row, "milliseconds": f"{iterations * one * 1e3:.4g}", **_machine()})


def _iteration_seconds(count: int) -> dict[str, float]:
    """Return the processor seconds of objective and gradient of `EDGES`, by name.

    Of five medians the lowest counts: other work on the machine only adds to them.
    """
    torch.set_num_threads(1)
    x, y = torch.randn(SAMPLES, 1), torch.randn(SAMPLES, EDGES)
    plain = KANLayer(1, EDGES, num_control_points=count, spline_width=WIDTH)

    def iteration(name: str) -> Callable[[], object]:
        layer = plain.reparameterize(name, **options(name, 1.0, "normal"))
        parameters = list(layer.parameters())

        def run() -> object:
            value = (layer(x) - y).square().mean() + layer.penalty("continuous")
            return torch.autograd.grad(value, parameters)

        return run

    runs = {name: iteration(name) for name in NAMES}
    several = [measurement.medians(runs, time.process_time) for _ in range(5)]
    return {name: min(medians[name] for medians in several) for name in NAMES}


def _machine() -> dict[str, Any]:
    return machine.description("cpu", 1)


def _gradient_seconds(p: Parameterization, count: int) -> float:
    """Return the median seconds of c = T θ and of Tᵀ g, for `EDGES`."""
    theta, grad = np.ones((p.num_parameters, EDGES)), np.ones((count, EDGES))
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        p.control_points(theta)
        p.transpose(grad)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


PARTS = {"conditions": conditions, "convergence": convergence, "durations": durations}


def main() -> None:
    """Run one part for the sizes on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.conditioning")
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--smoothings", type=float, nargs="+", default=SMOOTHINGS)
    parser.add_argument("--densities", nargs="+", default=DENSITIES, choices=DENSITIES)
    given = parser.parse_args()
    PARTS[given.part](given)


if __name__ == "__main__":
    main()
