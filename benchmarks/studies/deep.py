"""Which parameterization trains a deep network best: `python -m benchmarks.studies.deep`.

A [2, 8, 8, 1] network on a function of two variables, or a [10, 8, 1] network on Friedman's first
problem (noisy data; the test is on the function behind it), for every parameterization, optimizer,
number of control points and smoothing, with a warm-up in coarse coordinates or without. Rows hold
the final objective (what is minimised, comparable between parameterizations at one smoothing), the
validation error and the test error. On the first seed every learning rate runs; the others take the
one that had the lowest validation error there.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from sklearn.datasets import make_friedman1
from torch import Tensor
from tqdm import tqdm

from kanditioned_spec import Grid
from kanditioned_spec.penalty import scaling_factor

from .. import machine
from ..results import FOLDER, Table
from .functions import FUNCTIONS, Network, compile_expression, grid_points, parts, split, stages_of


class MatrixMuon(torch.optim.Optimizer):
    """Muon on each θ (I, P, O) as the matrix (I P, O) that multiplies the expanded inputs.

    PyTorch's optimizer takes matrices only: they share θ's memory and take its gradient.

    Args:
        parameters: Tensors θ, contiguous.
        rate: Learning rate; without weight decay.
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float) -> None:
        self.tensors = list(parameters)
        self.matrices = [torch.nn.Parameter(_matrix(theta.data)) for theta in self.tensors]
        self.muon = torch.optim.Muon(self.matrices, rate, weight_decay=0.0)
        super().__init__(self.tensors, {"lr": rate})

    def step(self, closure: Any = None) -> Any:
        value = closure()
        for theta, matrix in zip(self.tensors, self.matrices, strict=True):
            assert theta.grad is not None
            matrix.grad = _matrix(theta.grad)
        self.muon.param_groups[0]["lr"] = self.param_groups[0]["lr"]
        self.muon.step()  # type: ignore[no-untyped-call]
        return value


def _matrix(theta: Tensor) -> Tensor:
    return theta.view(-1, theta.shape[-1])


SHAPES = {
    "f1": ((2, 8, 8, 1), (2.0, 4.0, 4.0)),
    "f2": ((2, 8, 8, 1), (2.0, 4.0, 4.0)),
    "friedman1": ((10, 8, 1), (2.0, 4.0)),
}
"""Widths of the networks, and of the domains of their layers; first inputs are in [-1, 1]."""
NAMES = ("bspline", "prefix_sum", "dct", "legendre", "demmler_reinsch")
COUNTS = (17, 41, 129, 513)
SMOOTHINGS = (1e-8, 1e-6, 1e-4)
MOST_BEYOND = 2
Make = Callable[[Any, float], torch.optim.Optimizer]
OPTIMIZERS: dict[str, tuple[Make, tuple[float, ...]]] = {
    "adam": (lambda p, rate: torch.optim.Adam(p, rate), (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
    "adamw": (lambda p, rate: torch.optim.AdamW(p, rate), (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
    "sgd": (
        lambda p, rate: torch.optim.SGD(p, rate, momentum=0.9, nesterov=True),
        (1e-3, 1e-2, 1e-1, 1.0),
    ),
    "lbfgs": (
        lambda p, rate: torch.optim.LBFGS(
            p, rate, history_size=20, tolerance_change=0.0, line_search_fn="strong_wolfe"
        ),
        (1.0,),
    ),
}
"""How each is made, and the learning rates to choose from."""
if hasattr(torch.optim, "Muon"):  # since PyTorch 2.9
    OPTIMIZERS["muon"] = (MatrixMuon, (1e-2, 3e-2, 1e-1))


def data(problem: str, seed: int) -> list[Tensor]:
    """Return points and values to train on, to validate on, and to test on."""
    if problem in FUNCTIONS:
        function = compile_expression(FUNCTIONS[problem])
        points = grid_points(torch.float32)
        return [*split(function, seed, torch.float32), points, function(points)]
    samples = [
        *make_friedman1(1600, noise=1.0, random_state=3 * seed),
        *make_friedman1(400, noise=1.0, random_state=3 * seed + 1),
        *make_friedman1(10_000, noise=0.0, random_state=3 * seed + 2),
    ]
    tensors = [torch.as_tensor(values, dtype=torch.float32) for values in samples]
    return [2 * t - 1 if t.ndim == 2 else t[:, None] for t in tensors]


def parameterize(built: Network, name: str, smoothing: float) -> None:
    """Give all layers a parameterization, `demmler_reinsch` for the objective's own λ."""
    layers = []
    for number, layer in enumerate(built.kan_layers()):
        options: dict[str, Any] = {}
        if name == "demmler_reinsch":
            factor = scaling_factor(
                "continuous", Grid(layer.num_control_points, layer.spline_width)
            )
            options["smoothing"] = smoothing * factor
            options["density"] = "normal" if number else "uniform"
        layers.append(layer.reparameterize(name, **options))
    built.layers = torch.nn.ModuleList(layers)


def train(
    built: Network,
    stages: list[tuple[Grid, ...]],
    cell: Mapping[str, Any],
    objective: Callable[[], Tensor],
) -> float:
    """Take the steps, in equal parts on the grids of each stage; return the objective.

    The learning rate falls to zero along a cosine but for L-BFGS.
    """
    steps, rate = cell["steps"], cell["learning_rate"]
    make, _ = OPTIMIZERS[cell["optimizer"]]
    for stage, part in parts(stages, steps):
        built.change_grids(stage)
        parameterize(built, cell["name"], cell["smoothing"])
        optimizer = make(built.parameters(), rate)

        def closure(optimizer: torch.optim.Optimizer = optimizer) -> float:
            optimizer.zero_grad()
            value = objective()
            torch.autograd.backward(value)
            return value.item()

        if isinstance(optimizer, torch.optim.LBFGS):
            count = len(list(part))
            optimizer.param_groups[0].update(max_iter=count, max_eval=2 * count)
            optimizer.step(closure)  # type: ignore[no-untyped-call]
            continue
        for step in part:
            optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
            optimizer.step(closure)
    with torch.no_grad():
        return float(objective())


def fit(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Train one network and return its errors."""
    torch.manual_seed(cell["seed"])
    x, y, *held = data(cell["function"], cell["seed"])
    mean, scale = y.mean(), y.std()
    widths, spline_widths = SHAPES[cell["function"]]
    stages = stages_of(cell["count"], spline_widths, cell["warm_up"] or cell["count"] - 1)
    built = Network(widths, stages[0])
    start = time.process_time()

    def objective() -> Tensor:
        residual = built(x) - (y - mean) / scale
        loss: Tensor = residual.square().mean() + cell["smoothing"] * built.penalty()
        return loss

    def error(points: Tensor, values: Tensor) -> str:
        with torch.no_grad():
            difference = built(points) * scale + mean - values
        return f"{float(difference.norm() / values.norm()):.4g}"

    value = train(built, stages, cell, objective)
    seconds = round(time.process_time() - start, 1)
    errors = {"validation": error(*held[:2]), "test": error(*held[2:])}
    return {"objective": f"{value:.4g}", **errors, "cpu_seconds": seconds}


def rates(table: Table, cell: dict[str, Any]) -> Iterator[float]:
    """Yield the learning rates to run: all on the first seed, then the best of the first.

    On the first seed the list is continued, `MOST_BEYOND` times at most, while the best is at an
    end of it; each rate must be in the table before the next is asked for.
    """
    tried = OPTIMIZERS[cell["optimizer"]][1]
    if len(tried) == 1:
        yield from tried
    elif cell["seed"]:
        yield best_rate(table, cell)
    else:
        yield from tried
        for _ in range(MOST_BEYOND):
            best = best_rate(table, cell)
            if min(tried) < best < max(tried):
                break
            half_decades = round(2 * math.log10(best)) + (1 if best == max(tried) else -1)
            tried = (*tried, float(f"{10 ** (half_decades / 2):.0e}"))
            yield tried[-1]


def best_rate(table: Table, cell: dict[str, Any]) -> float:
    """Return the rate of the lowest validation error on the first seed."""
    first = {**cell, "seed": 0}
    errors = {
        float(row["learning_rate"]): float(row["validation"])
        for row in table.rows
        if all(row[column] == str(value) for column, value in first.items())
    }
    return min(errors, key=lambda rate: (math.isnan(errors[rate]), errors[rate]))


def main() -> None:
    """Run the grid on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.deep")
    parser.add_argument("--names", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--optimizers", nargs="+", choices=list(OPTIMIZERS), default=OPTIMIZERS)
    parser.add_argument("--functions", nargs="+", choices=list(SHAPES), default=SHAPES)
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--smoothings", nargs="+", type=float, default=SMOOTHINGS)
    parser.add_argument("--warm-up", type=int, default=0, metavar="INTERVALS", help="0 for none")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    key = ("function", "count", "smoothing", "optimizer", "name", "seed")
    table = Table(FOLDER / "deep.csv", (*key, "steps", "warm_up", "learning_rate"))
    grid = itertools.product(
        given.functions, given.counts, given.smoothings, given.optimizers, given.names,
        range(given.seeds),
    )  # fmt: skip
    for values in tqdm(list(grid), desc="deep"):
        cell = dict(zip(key, values, strict=True))
        cell |= {"steps": given.steps, "warm_up": given.warm_up}
        for rate in rates(table, cell):
            row = {**cell, "learning_rate": rate}
            if row not in table:
                table.append({**row, **fit(row), **machine.description("cpu", given.threads)})


if __name__ == "__main__":
    main()
