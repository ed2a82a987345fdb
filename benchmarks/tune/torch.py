"""Measure the implementations and write `selection.json`: `python -m benchmarks.tune.torch`.

Every contraction is timed at random sizes by each implementation that has its own, eager and
compiled; `measurement` makes coefficients of that. It needs SciPy and the package of
native kernels of the device, and takes an hour, most of it compilation.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from kanditioned_spec import Grid
from kanditioned_spec.costs import Sizes
from kanditioned_torch.impls import SplineConfig
from kanditioned_torch.selection import check, implementation_named

from ..machine import check_device
from . import measurement

CANDIDATES = {
    "interpolate": ("embedding", "strided", "embedding_bag", "sparse_csr", "dense"),
    "contract": ("embedding", "strided", "embedding_bag", "sparse_csr", "dense"),
    "accumulate": ("sorted", "embedding_bag", "sparse_csr", "dense"),
}
"""Implementations per contraction; those that borrow it from another are left out."""
OPAQUE = "sparse_csr"
"""Not for compiled programs: its operators are kanditioned_torch's own, which an exported program
would then need to run."""
COUNTS = {"eager": 200, "compiled": 150}
"""How many sizes."""
KINDS = {"cpu": ("cpu", "cpu"), "cuda": ("other", "gpu")}
"""Name in the table, and in `measurement`, of each device kind."""
WIDTH = 4.0


def native_of(device: str) -> str:
    """Return the name of the native implementation of a device kind."""
    return {"cpu": "cpu", "cuda": "triton"}[device]


def candidates(contraction: str, device: str, compiled: bool) -> list[str]:
    """Return the implementations that are measured."""
    stock = [n for n in CANDIDATES.get(contraction, ()) if not (compiled and n == OPAQUE)]
    return [*stock, native_of(device)]


def runner(name: str, contraction: str, compiled: bool) -> Callable[[Tensor, Tensor, Tensor], None]:
    """Return one contraction of one implementation as a function of x, control points and gy.

    Both gradients in one pass are followed by an empty call, since apart they are two calls.
    """
    impl = implementation_named(name)

    def run(x: Tensor, c: Tensor, gy: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        config = SplineConfig(Grid(c.shape[1], WIDTH), name, "highest")
        if contraction == "vjp":
            assert impl.vjp is not None
            return impl.vjp(x, c, gy, config)
        if contraction == "interpolate":
            return impl.interpolate(x, None, c, config, x.dtype)
        if contraction == "contract":
            return impl.contract(x, c, gy, config, x.dtype)
        return impl.accumulate(x, None, gy, config, x.dtype)

    def empty(x: Tensor, c: Tensor, gy: Tensor) -> Tensor:
        return x.new_empty(())

    evaluate, call = (torch.compile(f) if compiled else f for f in (run, empty))

    def waiting(x: Tensor, c: Tensor, gy: Tensor) -> None:
        evaluate(x, c, gy)
        if contraction == "vjp":
            call(x, c, gy)
        if x.is_cuda:
            torch.cuda.synchronize()

    return waiting


def measure(
    contraction: str, device: str, compiled: bool, clock: Callable[[], float], sizes: Sizes
) -> dict[str, float]:
    """Return the seconds of each implementation at some sizes."""
    torch.compiler.reset()
    batch, inputs, outputs, count = sizes
    shapes = ((batch, inputs), (inputs, count, outputs), (batch, outputs))
    arguments = [torch.randn(shape, device=device) for shape in shapes]
    names = candidates(contraction, device, compiled)
    runs = {name: partial(runner(name, contraction, compiled), *arguments) for name in names}
    return measurement.medians(runs, clock)


def main() -> None:
    """Measure one device kind and replace its part of the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune.torch", description=__doc__)
    parser.add_argument("--device", choices=sorted(KINDS), default="cpu")
    parser.add_argument("--modes", nargs="+", choices=sorted(COUNTS), default=list(COUNTS))
    parser.add_argument(
        "--sizes", type=int, help="how many random ones, instead of those of each mode"
    )
    parser.add_argument("--seed", type=int, default=2026, help="of the sizes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--output", type=Path, default=Path(str(files("kanditioned_torch") / "selection.json"))
    )
    given = parser.parse_args()
    check_device(parser, given.device)
    torch.set_num_threads(given.threads)
    # On one thread processor time is what an idle machine would take.
    alone = given.device == "cpu" and given.threads == 1
    clock = time.process_time if alone else time.perf_counter
    table = json.loads(given.output.read_text(encoding="utf-8")) if given.output.exists() else {}
    (part, kind), native = KINDS[given.device], native_of(given.device)
    check("tune", native)
    contractions = [*CANDIDATES, "vjp"] if implementation_named(native).vjp else [*CANDIDATES]
    for mode in given.modes:
        drawn = measurement.sample(given.sizes or COUNTS[mode], kind, given.seed)
        found = {
            contraction: measurement.measure_costs(
                f"{contraction} {mode}",
                drawn,
                partial(measure, contraction, given.device, mode == "compiled", clock),
            )
            for contraction in contractions
        }
        table.setdefault(part, {})[mode] = found
        given.output.write_text(measurement.format_table(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
