"""Measure how large the bound's constant must be: what a backend's results would need.

    python -m kanditioned_conformance.calibrate torch kanditioned_torch.backend:dense

For each result, this prints the largest (|got - want| - eps(storage)/2 · |want|) / (eps(compute) ·
condition) over random layers: `numerics.CONSTANT` must be above it, and how far says what is spare.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import cast

import numpy as np

from kanditioned_spec import Problem, numerics, reference, registry
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import CompleteBackend, NumpyArray, offers

from .cases import Case

LAYERS = 300
LABELS = ("value", "grad x", "grad control points", "by x", "by control points", "by grad y")


def required_constants(
    backend: CompleteBackend, dtype: str, layers: int = LAYERS, seed: int = 0
) -> dict[str, float]:
    """Return the smallest constant that a backend's results would pass with, by result.

    Args:
        backend: The backend.
        dtype: Storage dtype; float32 or float64, where rounding to it hides nothing.
        layers: How many layers are drawn: of 1 to 200 rows, 1 to 30 features, 2 to 300 control
            points, inputs in 1.6 domain widths and off the knots.
        seed: Of what is drawn.
    """
    rng, largest = np.random.default_rng(seed), dict.fromkeys(LABELS, 0.0)
    for number in range(layers):
        batch, inputs, outputs = (int(n) for n in np.exp(rng.uniform(0, np.log([200, 30, 30]))))
        count, width = int(np.exp(rng.uniform(np.log(2), np.log(300)))), float(rng.uniform(0.1, 20))
        problem = Problem(batch, inputs, outputs, count, width, dtype)
        results = _results(backend, Case(problem, number, "off_knots"))
        for label, (got, want, condition) in zip(LABELS, results, strict=False):
            error = np.abs(np.asarray(got, dtype=np.float64) - want)
            error -= numerics.FORMATS[dtype].eps / 2 * np.abs(want)
            per_unit = error / (numerics.compute_eps(dtype) * np.maximum(condition, 1e-300))
            largest[label] = max(largest[label], float(per_unit.max(initial=0.0)))
    return largest


def _results(backend: CompleteBackend, case: Case) -> Iterator[tuple[NumpyArray, Array, Array]]:
    """Yield got, want and condition of every result of the layer that the backend offers."""
    p, a = case.problem, case.arrays()
    layer = (a.x, a.control_points, p.spline_width)
    yield (
        backend.forward(p, a.x, a.control_points),
        reference.forward(*layer),
        numerics.forward_condition(*layer),
    )
    yield from zip(
        backend.vjp(p, a.x, a.control_points, a.grad_y),
        reference.vjp(*layer, a.grad_y),
        numerics.vjp_condition(*layer, a.grad_y),
        strict=True,
    )
    if not offers(backend, "vjp_of_vjp"):
        return
    cotangents = (a.grad_y, a.cotangent_x, a.cotangent_control_points)
    yield from zip(
        backend.vjp_of_vjp(p, a.x, a.control_points, *cotangents),
        reference.vjp_of_vjp(*layer, *cotangents),
        numerics.vjp_of_vjp_condition(*layer, *cotangents),
        strict=True,
    )


def main(names: list[str]) -> None:
    """Print a table: backends and dtypes down, results across."""
    print(" " * 10 + "".join(f"{label:>21}" for label in LABELS))
    for name in names:
        backend = cast(CompleteBackend, registry.load(name))
        print(name)
        for dtype in ("float32", "float64"):
            row = required_constants(backend, dtype)
            print(f"  {dtype:<8}" + "".join(f"{row[label]:21.2f}" for label in LABELS))


if __name__ == "__main__":
    main(sys.argv[1:])
