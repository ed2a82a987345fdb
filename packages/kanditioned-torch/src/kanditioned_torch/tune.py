"""Measure the stock implementations and write `selection.json`: `python -m kanditioned_torch.tune`.

For every contraction, mode and number of control points, the implementations run in turns on fresh
inputs. Their medians, divided by the fastest at that shape, are averaged over the shapes
(geometric mean), and the lowest average is chosen; of two within 5 %, the one already chosen for
fewer control points.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from .impls import IMPLS

CANDIDATES = {
    "interpolate": ("embedding", "strided", "embedding_bag", "sparse_csr", "dense"),
    "contract": ("embedding", "strided", "embedding_bag", "sparse_csr", "dense"),
    "accumulate": ("sorted", "embedding_bag", "sparse_csr", "dense"),
    "accumulate_few": ("sorted", "embedding_bag", "sparse_csr", "dense"),
}
"""Implementations per contraction; those that borrow it from another are left out."""
COUNTS = (8, 16, 32, 64)
SHAPES = {
    "cpu": ((256, 64, 64), (512, 256, 256), (64, 784, 64), (8192, 16, 16)),
    "cuda": ((1024, 64, 64), (8192, 256, 256), (1024, 1024, 1024), (65536, 64, 64)),
}
"""Batch, in and out features to measure at, for each device kind."""
KEYS = {"cpu": "cpu", "cuda": "other"}
WIDTH = 4.0
Runner = Callable[[Tensor, Tensor, Tensor], Tensor]


def runner(name: str, contraction: str, compiled: bool) -> Runner:
    """Return one contraction of one implementation as a function of x, control points and gy."""
    impl = IMPLS[name]

    def run(x: Tensor, c: Tensor, gy: Tensor) -> Tensor:
        if contraction == "interpolate":
            return impl.interpolate(x, None, c, WIDTH, x.dtype, "highest")
        if contraction == "contract":
            return impl.contract(x, c, gy, WIDTH, x.dtype, "highest")
        return impl.accumulate(x, None, gy, c.shape[1], WIDTH, x.dtype, "highest")

    return torch.compile(run) if compiled else run


def medians(
    runners: dict[str, Runner], sizes: tuple[tuple[int, ...], ...], device: str, rounds: int
) -> dict[str, float]:
    """Return each runner's median seconds, all of them timed in turns."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds + 2):
        inputs = [torch.randn(size, device=device) for size in sizes]
        for name, run in runners.items():
            _synchronize(inputs[0])
            start = time.perf_counter()
            _synchronize(run(*inputs))
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds[2:]) for name, seconds in times.items()}


def _synchronize(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def averages(
    device: str, contraction: str, compiled: bool, count: int, rounds: int
) -> dict[str, float]:
    """Return each implementation's time over the fastest one's, averaged over the shapes."""
    names = CANDIDATES[contraction]
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for rows, inputs, outputs in SHAPES[device]:
        batch = min(rows, count) if contraction == "accumulate_few" else rows
        torch.compiler.reset()
        runners = {name: runner(name, contraction, compiled) for name in names}
        sizes = ((batch, inputs), (inputs, count, outputs), (batch, outputs))
        seconds = medians(runners, sizes, device, rounds)
        for name in names:
            ratios[name].append(seconds[name] / min(seconds.values()))
        print(f"{contraction:16}{'compiled' if compiled else 'eager':9}", end="")
        print(
            f"{(batch, inputs, outputs, count)!s:22}",
            {n: f"{s:.2e}" for n, s in seconds.items()},
            flush=True,
        )
    return {name: statistics.geometric_mean(values) for name, values in ratios.items()}


def steps(
    device: str, contraction: str, compiled: bool, rounds: int
) -> list[list[int | str | None]]:
    """Return `[up to K, name]` pairs, the last without a limit."""
    chosen: list[list[int | str | None]] = []
    for count in COUNTS:
        ratios = averages(device, contraction, compiled, count, rounds)
        name = min(ratios, key=ratios.__getitem__)
        if chosen and ratios[str(chosen[-1][1])] <= 1.05 * ratios[name]:
            name = str(chosen[-1][1])
        if chosen and chosen[-1][1] == name:
            chosen.pop()
        chosen.append([count, name])
    chosen[-1][0] = None
    return chosen


def main() -> None:
    """Measure one device kind and replace its part of the table."""
    parser = argparse.ArgumentParser(prog="python -m kanditioned_torch.tune", description=__doc__)
    parser.add_argument("--device", choices=sorted(SHAPES), default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--output", type=Path, default=Path(str(files(__package__) / "selection.json"))
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table = json.loads(given.output.read_text(encoding="utf-8")) if given.output.exists() else {}
    table[KEYS[given.device]] = {
        mode: {c: steps(given.device, c, compiled, given.rounds) for c in CANDIDATES}
        for mode, compiled in (("eager", False), ("compiled", True))
    }
    given.output.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
