"""Measure the implementations on this machine and rewrite its part of `selection.json`.

    python -m kanditioned_jax.tune            print the table
    python -m kanditioned_jax.tune --write    and write it

For each contraction and number of control points the implementation with the smallest geometric
mean of times over some shapes is taken, and neighbours with the same one become one step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jax

from .autodiff import ROLES, Setting, contraction
from .selection import Table

MANY_ROWS = ((256, 64, 64), (64, 512, 64), (1024, 256, 256), (4096, 128, 128))
FEW_ROWS = ((2, 128, 256), (4, 32, 64), (8, 64, 64))
"""Shapes (B, I, O), with more and with at most `selection.FEW` rows."""
COUNTS = (2, 4, 6, 8, 12, 16, 32, 128)
"""K."""
CONTRACTIONS = {
    "interpolate": ("grad_y", MANY_ROWS),
    "contract": ("direction", MANY_ROWS),
    "accumulate": ("control_points", MANY_ROWS),
    "accumulate_few": ("control_points", FEW_ROWS),
}
Shapes = tuple[tuple[int, int, int], ...]
Timed = Callable[[], jax.Array]


def main() -> None:
    """Parse the command line, measure, and print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m kanditioned_jax.tune", description=__doc__)
    parser.add_argument("--write", action="store_true", help="rewrite selection.json")
    parser.add_argument("--repeats", type=int, default=9, help="timings per implementation")
    arguments = parser.parse_args()
    on_cpu = jax.default_backend() == "cpu"
    measured = table(
        ("lookup", "dense") if on_cpu else ("lookup", "dense", "pallas"), arguments.repeats
    )
    resource = files(__package__).joinpath("selection.json")
    whole: Table = json.loads(resource.read_text(encoding="utf-8"))
    whole["cpu" if on_cpu else "other"] = measured
    text = formatted(whole)
    print(text)
    if arguments.write:
        Path(str(resource)).write_text(text, encoding="utf-8")


def table(impls: tuple[str, ...], repeats: int) -> dict[str, list[tuple[int | None, str]]]:
    """Return the steps of each contraction on the default device."""
    steps: dict[str, list[tuple[int | None, str]]] = {}
    for name, (output, shapes) in CONTRACTIONS.items():
        best = [(count, _fastest(output, shapes, count, impls, repeats)) for count in COUNTS]
        changes = [i for i in range(len(best) - 1) if best[i][1] != best[i + 1][1]]
        steps[name] = [*(best[i] for i in changes), (None, best[-1][1])]
    return steps


def formatted(whole: Table) -> str:
    """Return the table as JSON, a line per contraction."""
    kinds = []
    for kind, contractions in whole.items():
        lines = [f'    "{name}": {json.dumps(steps)}' for name, steps in contractions.items()]
        kinds.append(f'  "{kind}": {{\n' + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(kinds) + "\n}\n"


def _fastest(output: str, shapes: Shapes, count: int, impls: tuple[str, ...], repeats: int) -> str:
    products = dict.fromkeys(impls, 1.0)
    for shape in shapes:
        runs = {impl: _run(output, shape, count, impl) for impl in impls}
        for impl, seconds in _medians(runs, repeats).items():
            products[impl] *= seconds
    return min(impls, key=products.__getitem__)


def _run(output: str, shape: tuple[int, int, int], count: int, impl: str) -> Timed:
    """Compile a contraction on random arrays."""
    batch, inputs, outputs = shape
    setting = Setting(count, 4.0, impl, "highest")
    shapes = {"control_points": (1, inputs * count, outputs), "grad_y": (1, batch, outputs)}
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.uniform(keys[0], (1, batch, inputs), minval=-2, maxval=2)
    operands = {
        role: jax.random.normal(key, shapes[role])
        for role, key in zip(ROLES[1:], keys[1:], strict=True)
        if role != output
    }
    compiled = (
        jax.jit(contraction, static_argnums=(0, 3)).lower(output, x, operands, setting).compile()
    )
    return lambda: compiled(x, operands)


def _medians(runs: dict[str, Timed], repeats: int) -> dict[str, float]:
    """Time the runs in turn, so that a busy machine is unfair to none."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats + 1):  # the first round warms up
        for name, run in runs.items():
            start = time.perf_counter()
            run().block_until_ready()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


if __name__ == "__main__":
    main()
