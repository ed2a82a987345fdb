"""Fit functions of two variables: `python -m benchmarks.studies.functions PART`.

`grid`: a [2, 8, 8, 1] network at rising numbers of intervals G: 5000 uniform points in [-1, 1]²,
80/20, full-batch Adam, 2000 steps, relative L2 error on a 200 × 200 grid. The smoothing is chosen
per run on the 20 % validation split, never on the grid; everything else is one setting for all.
With a warm-up, a network begins with few intervals and is refined, in equal parts of the steps
(`kanditioned_spec.refinement.nested_grids`).

`slope`: a [2, 1, 1] network refined from few control points to many, L-BFGS at each stage; its
error should fall as K⁻². That takes more points, and a second domain that holds what comes out of
the first layer: beyond it the function is a line, whatever K is.

Other functions: `--function NAME=EXPRESSION`, of x and y with NumPy's names.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from kanditioned_spec import Grid
from kanditioned_spec.refinement import nested_change, nested_grids
from kanditioned_torch import KANLayer

from .. import machine
from ..results import FOLDER, Table

FUNCTIONS = {"f1": "x * y", "f2": "exp(sin(pi * x) + y ** 2)"}
SMOOTHINGS = (0.0, 1e-8, 1e-7, 1e-6, 1e-5)
GRID, SLOPE = (5, 10, 20, 40, 80, 160), (5, 10, 50, 100, 200, 400)
POINTS, STEPS, SIDE = 5000, 2000, 200
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: (1 + np.cos(np.pi * done)) / 2,
    "constant": lambda done: 1.0,
}

Stage = TypeVar("Stage")


class Network(nn.Module):
    """Layers one after the other, each with a grid of its own.

    Args:
        widths: Features before, between and after the layers.
        grids: Number of control points and width of each layer.
        **options: Of every `KANLayer`.
    """

    def __init__(self, widths: tuple[int, ...], grids: Sequence[Grid], **options: Any):
        super().__init__()
        triples = zip(widths, widths[1:], grids, strict=False)
        self.layers = nn.ModuleList(
            KANLayer(i, o, **grid._asdict(), **options) for i, o, grid in triples
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def penalty(self) -> Tensor:
        """Return the penalties, in the scaling that does not change with K."""
        return torch.stack([layer.penalty("continuous") for layer in self.kan_layers()]).sum()

    def kan_layers(self) -> Iterator[KANLayer]:
        """Return the layers, typed."""
        return (cast(KANLayer, layer) for layer in self.layers)

    def change_grids(self, grids: Sequence[Grid]) -> None:
        """Replace every layer by the same functions on the next of its `nested_grids`."""
        pairs = zip(self.kan_layers(), grids, strict=True)
        self.layers = nn.ModuleList(k.change_grid(nested_change(k.grid, grid)) for k, grid in pairs)

    def refine(self, num_control_points: int) -> None:
        """Replace every layer by the same functions on more control points."""
        self.layers = nn.ModuleList(layer.refine(num_control_points) for layer in self.kan_layers())


def compile_expression(expression: str) -> Callable[[Tensor], Tensor]:
    """Return a function of points (N, 2) from an expression of x and y."""
    names = {name: getattr(np, name) for name in np.__all__ if name.islower()}

    def function(points: Tensor) -> Tensor:
        x, y = points.double().numpy().T
        values = eval(expression, {**names, "x": x, "y": y})
        return torch.from_numpy(np.broadcast_to(values, x.shape).astype(float)).to(points)[:, None]

    return function


def split(
    function: Callable[[Tensor], Tensor], seed: int, dtype: torch.dtype, count: int = POINTS
) -> list[Tensor]:
    """Return points and values, four fifths to train on, then the others to validate on."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 2, generator=generator, dtype=torch.float64).to(dtype) * 2 - 1
    values, trained = function(points), count * 4 // 5
    return [points[:trained], values[:trained], points[trained:], values[trained:]]


def stages_of(
    num_control_points: int, spline_widths: tuple[float, ...], coarsest: int
) -> list[tuple[Grid, ...]]:
    """Return the grids of all layers, stage by stage: the next hold those before exactly."""
    last = [Grid(num_control_points, width) for width in spline_widths]
    return list(zip(*(nested_grids(grid, coarsest) for grid in last), strict=True))


def parts(stages: list[Stage], steps: int) -> Iterator[tuple[Stage, Iterator[int]]]:
    """Return each stage with its equal part of the steps."""
    return groupby(range(steps), lambda step: stages[step * len(stages) // steps])


def grid_points(dtype: torch.dtype) -> Tensor:
    """Return the points of the test grid."""
    side = torch.linspace(-1, 1, SIDE, dtype=dtype)
    return torch.cartesian_prod(side, side)


def relative_error(predict: Callable[[Tensor], Tensor], function: Any, dtype: torch.dtype) -> float:
    """Return the relative L2 error on the test grid."""
    points = grid_points(dtype)
    with torch.no_grad():
        want, got = function(points), predict(points)
    return float((got - want).norm() / want.norm())


def fit_grid(function: Any, intervals: int, smoothing: float, given: Any, seed: int) -> Any:
    """Train one network; return validation and test error, and seconds."""
    torch.manual_seed(seed)
    x, y, x_validation, y_validation = split(function, seed, torch.float32)
    mean, scale = y.mean(), y.std()
    stages = stages_of(intervals + 1, (2.0, 4.0, 4.0), given.warm_up or intervals)
    network = Network((2, 8, 8, 1), stages[0], parameterization=given.parameterization)
    start = time.perf_counter()
    for stage, steps in parts(stages, given.steps):
        network.change_grids(stage)
        optimizer = torch.optim.Adam(network.parameters())
        for step in steps:
            for group in optimizer.param_groups:
                group["lr"] = given.learning_rate * SCHEDULES[given.schedule](step / given.steps)
            optimizer.zero_grad()
            residual = network(x) - (y - mean) / scale
            (residual.square().mean() + smoothing * network.penalty()).backward()
            optimizer.step()
    seconds = time.perf_counter() - start

    def predict(points: Tensor) -> Tensor:
        y: Tensor = network(points) * scale + mean
        return y

    with torch.no_grad():
        error = (predict(x_validation) - y_validation).norm() / y_validation.norm()
    return float(error), relative_error(predict, function, torch.float32), seconds


def grid(given: argparse.Namespace) -> None:
    """Fit every function, G, seed and smoothing; a row each."""
    key = ("function", "intervals", "seed", "smoothing", "parameterization", "learning_rate",
           "schedule", "steps", "warm_up")  # fmt: skip
    table = Table(FOLDER / "functions.csv", key)
    cells = [
        (name, intervals, seed, smoothing)
        for seed in range(given.seeds)
        for intervals in given.intervals or GRID
        for name in given.functions
        for smoothing in given.smoothings
    ]
    for cell in tqdm(cells, desc="grid"):
        setting = (given.parameterization, given.learning_rate, given.schedule, given.steps,
                   given.warm_up)  # fmt: skip
        row: dict[str, Any] = dict(zip(key, (*cell, *setting), strict=True))
        if row in table:
            continue
        name, intervals, seed, smoothing = cell
        validation, test, seconds = fit_grid(
            compile_expression(given.functions[name]), intervals, smoothing, given, seed
        )
        row |= {"validation": f"{validation:.4g}", "test": f"{test:.4g}"}
        row |= {"expression": given.functions[name], "seconds": round(seconds, 1)}
        table.append({**row, **machine.description("cpu", torch.get_num_threads())})


def slope(given: argparse.Namespace) -> None:
    """Fit and refine; a row per stage."""
    key = ("function", "seed", "intervals", "smoothing", "iterations", "parameterization",
           "points", "hidden_width")  # fmt: skip
    table = Table(FOLDER / "slope.csv", key)
    for name, seed in [(n, s) for n in given.functions for s in range(given.seeds)]:
        stages = given.intervals or SLOPE
        row: dict[str, Any] = {"function": name, "seed": seed, "smoothing": given.slope_smoothing}
        row |= {"iterations": given.iterations, "parameterization": given.parameterization}
        row |= {"points": given.points, "hidden_width": given.hidden_width}
        if {**row, "intervals": stages[-1]} in table:
            continue
        torch.manual_seed(seed)
        function = compile_expression(given.functions[name])
        x, y, *_ = split(function, seed, torch.float64, given.points)
        grids = [Grid(stages[0] + 1, width) for width in (2.0, given.hidden_width)]
        options = {"dtype": torch.float64, "parameterization": given.parameterization}
        network = Network((2, 1, 1), grids, **options)
        for intervals in stages:
            network.refine(intervals + 1)
            descend(network, x, y, given.slope_smoothing, given.iterations)
            error = relative_error(network, function, torch.float64)
            row |= {"intervals": intervals, "test": f"{error:.4g}"}
            table.append({**row, **machine.description("cpu", torch.get_num_threads())})
            print(f"{name} seed {seed} G {intervals}: {error:.3g}", flush=True)


def descend(network: Network, x: Tensor, y: Tensor, smoothing: float, iterations: int) -> None:
    """Minimise the mean squared error plus `smoothing` times the penalty by L-BFGS."""
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=iterations, history_size=50,
        tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> float:
        optimizer.zero_grad()
        value: Tensor = (network(x) - y).square().mean() + smoothing * network.penalty()
        torch.autograd.backward(value)
        return value.item()

    optimizer.step(loss)  # type: ignore[no-untyped-call]


def main() -> None:
    """Run a part for the functions on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.functions")
    parser.add_argument("part", choices=("grid", "slope"))
    parser.add_argument("--function", action="append", metavar="NAME=EXPRESSION", default=[])
    parser.add_argument("--intervals", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--smoothings", type=float, nargs="+", default=SMOOTHINGS)
    parser.add_argument("--parameterization", default="bspline")
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cosine")
    parser.add_argument("--warm-up", type=int, default=5, metavar="INTERVALS", help="or 0 for none")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--slope-smoothing", type=float, default=1e-12)
    parser.add_argument("--iterations", type=int, default=2000, help="of L-BFGS, per stage")
    parser.add_argument("--points", type=int, default=25_000, help="of slope; grid has 5000")
    parser.add_argument("--hidden-width", type=float, default=8.0, help="of slope's second domain")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    given.functions = dict(f.split("=", 1) for f in given.function) or FUNCTIONS
    if given.part == "slope" and not given.function:
        given.functions = {"f2": FUNCTIONS["f2"]}
    torch.set_num_threads(given.threads)
    {"grid": grid, "slope": slope}[given.part](given)


if __name__ == "__main__":
    main()
