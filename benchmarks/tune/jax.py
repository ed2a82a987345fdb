"""Measure the implementations and write `selection.json`: `python -m benchmarks.tune.jax`.

Every contraction is timed at random sizes by each implementation; `measurement` makes
coefficients of that. It takes about ten minutes on a CPU, most of it compilation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jax

from kanditioned_jax.derivatives import ROLES, SplineConfig, contraction
from kanditioned_spec import Grid
from kanditioned_spec.costs import Sizes

from . import measurement

OUTPUTS = {"interpolate": "grad_y", "contract": "direction", "accumulate": "control_points"}
"""What each contraction returns."""


def main() -> None:
    """Measure the default device and replace its part of the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune.jax", description=__doc__)
    parser.add_argument("--sizes", type=int, default=200, help="how many random ones")
    parser.add_argument("--seed", type=int, default=2026, help="of the sizes")
    parser.add_argument(
        "--output", type=Path, default=Path(str(files("kanditioned_jax") / "selection.json"))
    )
    given = parser.parse_args()
    on_cpu = jax.default_backend() == "cpu"
    impls = ("lookup", "dense") if on_cpu else ("lookup", "dense", "pallas")
    drawn = measurement.sample(given.sizes, "cpu" if on_cpu else "gpu", given.seed)
    table = json.loads(given.output.read_text(encoding="utf-8")) if given.output.exists() else {}
    table["cpu" if on_cpu else "other"] = {
        contraction: measurement.measure_costs(contraction, drawn, partial(measure, output, impls))
        for contraction, output in OUTPUTS.items()
    }
    given.output.write_text(measurement.format_table(table) + "\n", encoding="utf-8")


def measure(output: str, impls: tuple[str, ...], sizes: Sizes) -> dict[str, float]:
    """Return the seconds of each implementation at some sizes."""
    jax.clear_caches()  # type: ignore[no-untyped-call]  # else hundreds of programs stay
    return measurement.medians({impl: runner(output, sizes, impl) for impl in impls})


def runner(output: str, sizes: Sizes, impl: str) -> Callable[[], Any]:
    """Compile a contraction on random arrays."""
    batch, inputs, outputs, count = sizes
    config = SplineConfig(Grid(count, 4.0), impl, "highest")
    shapes = {"control_points": (1, inputs * count, outputs), "grad_y": (1, batch, outputs)}
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (1, batch, inputs))
    operands = {
        role: jax.random.normal(key, shapes[role])
        for role, key in zip(ROLES[1:], keys[1:], strict=True)
        if role != output
    }
    compiled = (
        jax.jit(contraction, static_argnums=(0, 3)).lower(output, x, operands, config).compile()
    )
    return lambda: compiled(x, operands).block_until_ready()


if __name__ == "__main__":
    main()
