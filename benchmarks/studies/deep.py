"""Which parameterization trains a deep network best: `python -m benchmarks.studies.deep`.

A [2, 8, 8, 1] network on a function of two variables, for every parameterization, optimizer,
learning rate, number of control points and smoothing. Rows hold the final objective (what is
minimised, comparable between parameterizations at one smoothing), the validation error (by which a
learning rate is chosen) and the test error.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from kanditioned_spec.penalty import scaling_factor
from kanditioned_torch import KANLayer

from .. import machine
from ..results import FOLDER, Table
from .functions import FUNCTIONS, Network, evaluated, relative_error, split


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


WIDTHS, SPLINE_WIDTHS = (2, 8, 8, 1), (2.0, 4.0, 4.0)
NAMES = ("bspline", "prefix_sum", "dct", "legendre", "demmler_reinsch")
COUNTS = (17, 41, 129, 513)
SMOOTHINGS = (1e-8, 1e-6, 1e-4)
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


def network(name: str, count: int, smoothing: float) -> Network:
    """Return a network in a parameterization, `demmler_reinsch` for the objective's own λ."""
    built = Network(WIDTHS, SPLINE_WIDTHS, num_control_points=count)
    layers = []
    for layer, width, density in zip(
        built.layers, SPLINE_WIDTHS, ("uniform", "normal", "normal"), strict=True
    ):
        assert isinstance(layer, KANLayer)
        options: dict[str, Any] = {}
        if name == "demmler_reinsch":
            weight = smoothing * scaling_factor("continuous", count, width)
            options = {"smoothing": weight, "density": density}
        layers.append(layer.reparameterize(name, **options))
    built.layers = torch.nn.ModuleList(layers)
    return built


def train(
    built: Network, optimizer: torch.optim.Optimizer, objective: Callable[[], Tensor], steps: int
) -> float:
    """Take steps, with the learning rate falling to zero along a cosine but for L-BFGS."""
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def closure() -> float:
        optimizer.zero_grad()
        value = objective()
        torch.autograd.backward(value)
        return value.item()

    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.param_groups[0].update(max_iter=steps, max_eval=2 * steps)
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    else:
        for _ in range(steps):
            optimizer.step(closure)
            schedule.step()
    with torch.no_grad():
        return float(objective())


def fit(given: argparse.Namespace, cell: dict[str, Any]) -> dict[str, Any]:
    """Train one network and return its errors."""
    torch.manual_seed(cell["seed"])
    function = evaluated(FUNCTIONS[cell["function"]])
    x, y, x_validation, y_validation = split(function, cell["seed"], torch.float32)
    mean, scale = y.mean(), y.std()
    built = network(cell["name"], cell["count"], cell["smoothing"])
    make, _ = OPTIMIZERS[cell["optimizer"]]
    optimizer = make(built.parameters(), cell["learning_rate"])
    start = time.process_time()

    def objective() -> Tensor:
        residual = built(x) - (y - mean) / scale
        loss: Tensor = residual.square().mean() + cell["smoothing"] * built.penalty()
        return loss

    value = train(built, optimizer, objective, given.steps)
    seconds = time.process_time() - start
    with torch.no_grad():
        error = built(x_validation) * scale + mean - y_validation
    test = relative_error(lambda points: built(points) * scale + mean, function, torch.float32)
    return {
        "objective": f"{value:.4g}",
        "validation": f"{float(error.norm() / y_validation.norm()):.4g}",
        "test": f"{test:.4g}",
        "cpu_seconds": round(seconds, 1),
    }


def main() -> None:
    """Run the grid on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.deep")
    parser.add_argument("--names", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--optimizers", nargs="+", choices=list(OPTIMIZERS), default=OPTIMIZERS)
    parser.add_argument("--functions", nargs="+", choices=list(FUNCTIONS), default=FUNCTIONS)
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--smoothings", nargs="+", type=float, default=SMOOTHINGS)
    parser.add_argument("--rates", nargs="+", type=float, help="instead of each optimizer's own")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    key = ("seed", "function", "count", "smoothing", "optimizer", "name", "learning_rate", "steps")
    table = Table(FOLDER / "deep.csv", key)
    grid = itertools.product(
        range(given.seeds), given.functions, given.counts, given.smoothings, given.optimizers,
        given.names,
    )  # fmt: skip
    cells = [
        dict(zip(key, (*cell, rate, given.steps), strict=True))
        for cell in grid
        for rate in given.rates or OPTIMIZERS[cell[4]][1]
    ]
    for cell in tqdm(cells, desc="deep"):
        if cell not in table:
            described = machine.description("cpu", given.threads)
            table.append({**cell, **fit(given, cell), **described})


if __name__ == "__main__":
    main()
