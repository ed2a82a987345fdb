"""Count outputs that fall where the function rises: `python -m benchmarks.studies.violations`.

Edges that rise, flat pieces among them, of one feature or of three. Both inputs of a pair are drawn
near the knots, next to each other in their format, anywhere in the domain, or out to ±1e30. An
exact function never falls; what a backend returns is rounded. A fall is compared with the bounds
that the kit allows the two outputs' errors (`kanditioned_spec.numerics`). Set `JAX_ENABLE_X64=1`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Shapes, numerics, registry
from kanditioned_spec.protocol import Backend, Problem

Floats = npt.NDArray[np.floating[Any]]

DTYPES: dict[str, Any] = {"float32": np.float32, "float64": np.float64}
BACKENDS = (
    "reference",
    "kanditioned_cpu.backend:backend",
    *(
        f"kanditioned_torch.backend:{name}"
        for name in (
            *("dense", "embedding", "embedding_bag", "interleaved", "presorted", "sorted"),
            *("sparse_csr", "strided", "cpu", "auto"),
        )
    ),
    "kanditioned_jax.backend:dense",
    "kanditioned_jax.backend:lookup",
)
PAIRS, ROWS, COUNT, OUTPUTS = 1_000_000, 25_000, 9, 4


def rising(rng: np.random.Generator, in_features: int, size: float, dtype: str) -> Floats:
    """Draw rising control points (I, K, O), as a layer with `monotone=` has them."""
    free = size * rng.normal(size=(in_features, COUNT, OUTPUTS)).cumsum(1)
    shapes = Shapes.from_arguments("rising", in_features, [1] * in_features, None)
    return np.asarray(shapes.feasible(free)).astype(DTYPES[dtype])


def pairs(rng: np.random.Generator, in_features: int, dtype: str) -> tuple[Floats, Floats]:
    """Draw inputs (N, I) whose one feature is lower in the first than in the second."""
    kind, shape = DTYPES[dtype], (ROWS, 2)
    knots = np.linspace(-2, 2, COUNT)
    near = rng.choice(knots, shape) + rng.integers(-3, 4, shape) * np.finfo(kind).eps
    inside, far = rng.normal(size=shape), rng.choice([-1e30, -1e6, -3.0, 3.0, 1e6, 1e30], shape)
    drawn = np.choose(rng.integers(0, 3, (ROWS, 1)), (near, inside, far)).astype(kind)
    adjacent = rng.random(ROWS) < 0.3
    drawn[adjacent, 1] = np.nextafter(drawn[adjacent, 0], kind(np.inf))
    low = rng.normal(size=(ROWS, in_features)).astype(kind)
    high = low.copy()
    low[:, 0], high[:, 0] = drawn.min(1), drawn.max(1)
    return low, high


def falls(backend: Backend, in_features: int, dtype: str, pairs_wanted: int) -> Iterator[Floats]:
    """Yield for rounds of pairs how far outputs fall, in bounds of the two; 0 where they rise."""
    rng = np.random.default_rng(0)
    for number in range(-(-pairs_wanted // ROWS)):
        c = rising(rng, in_features, (1e-3, 1.0, 1e3)[number % 3], dtype)
        low, high = pairs(rng, in_features, dtype)
        x = np.concatenate([low, high])
        problem = Problem(len(x), in_features, OUTPUTS, COUNT, 4.0, dtype)
        y = np.asarray(backend.forward(problem, x, c), np.float64)
        fall = np.maximum(y[:ROWS] - y[ROWS:], 0)
        rows = fall.any(1)
        allowed = np.zeros_like(fall[rows])
        for ends, of_ends in ((low[rows], y[:ROWS][rows]), (high[rows], y[ROWS:][rows])):
            condition = numerics.forward_condition(ends, c, 4.0)
            allowed += numerics.tolerance(condition, of_ends, dtype)
        fall[rows] /= allowed
        yield fall


def main() -> None:
    """Print a line for each backend, dtype and number of features."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backends", nargs="*", default=BACKENDS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    print(f"{'backend':40} {'dtype':8} I  pairs    that fall  largest fall / bound")
    for name in arguments.backends:
        for dtype in DTYPES:
            for in_features in (1, 3):
                backend = registry.load(name)
                found = list(falls(backend, in_features, dtype, arguments.pairs))
                number = sum(int(fall.any(1).sum()) for fall in found)
                largest = max(float(fall.max()) for fall in found)
                print(
                    f"{name:40} {dtype:8} {in_features}  {len(found) * ROWS:<8} {number:<9}  "
                    f"{largest:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
