"""Measuring the coefficients of `kanditioned_spec.costs`, for both commands of this folder.

At random sizes all implementations run in turns. Each one's coefficients, none negative, make the
logarithm of predicted over measured time small: small and large sizes count alike, too much as too
little, and by a robust loss a few odd sizes do not matter.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kanditioned_spec.costs import WORKS, Costs, Sizes, cheapest

COMMON = (
    Sizes(256, 64, 64, 8),
    Sizes(1024, 64, 64, 32),
    Sizes(1024, 256, 256, 32),
    Sizes(4096, 128, 128, 16),
    Sizes(64, 784, 64, 8),
    Sizes(8192, 16, 16, 64),
    Sizes(1, 256, 256, 32),
)
"""Sizes of layers as they are, measured beside the random ones."""
LOGARITHMS = {
    "cpu": ((0, 13), (0, 10), (0, 10), (1, 8)),
    "gpu": ((0, 17), (0, 12), (0, 12), (1, 8)),
}
"""Ranges of log2 of B, I, O, K."""
MOST = {"cpu": (2**26, 2**24), "gpu": (2**33, 2**28)}
"""Most edges B I O and control points I K O."""
HOPELESS, SECONDS, ROUNDS = 4.0, 0.3, (5, 50)
"""A candidate `HOPELESS` times as slow as the fastest is timed only twice. The others are timed in
turns for `SECONDS` in all, in no fewer and no more rounds than `ROUNDS` says."""
FOLDS = 5
"""Of the cross-validation that says how good the choice is."""
LEAST = 1e-5
"""The share of the time at any of the sizes below which a work is free."""


def sample(count: int, kind: str, seed: int) -> list[Sizes]:
    """Return `COMMON` and random sizes for a kind of device, `"cpu"` or `"gpu"`.

    They are drawn log-uniformly, and half of the numbers are powers of two.
    """
    rng = random.Random(seed)
    edges, control_points = MOST[kind]
    drawn = [*COMMON]
    while len(drawn) < len(COMMON) + count:
        logarithms = [rng.uniform(*range_) for range_ in LOGARITHMS[kind]]
        sizes = Sizes(*(round(2 ** (round(n) if rng.random() < 0.5 else n)) for n in logarithms))
        batch, inputs, outputs, points = sizes
        if batch * inputs * outputs <= edges and inputs * points * outputs <= control_points:
            drawn.append(sizes)
    return drawn


def medians(
    runs: Mapping[str, Callable[[], Any]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return each one's median time in seconds, all of them timed in turns.

    Args:
        runs: What is timed, by name; each waits for its own result.
        clock: Returns seconds.
    """
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    kept, start, (least, most) = list(runs), time.perf_counter(), ROUNDS
    for done in range(most):
        if done >= least and time.perf_counter() - start > SECONDS:
            break
        if done == 2:
            fastest = min(map(min, times.values()))
            kept = [name for name in kept if min(times[name]) <= HOPELESS * fastest]
        for name in kept:
            before = clock()
            runs[name]()
            times[name].append(clock() - before)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def measure_costs(
    contraction: str, drawn: Sequence[Sizes], measured: Callable[[Sizes], Mapping[str, float]]
) -> dict[str, Costs]:
    """Return the coefficients of every implementation of a contraction, and print what was seen.

    Args:
        contraction: Its name, to be printed.
        drawn: The sizes to measure at.
        measured: Returns the seconds of each implementation at some sizes.
    """
    seconds: dict[str, list[float]] = {}
    for sizes in drawn:
        medians = measured(sizes)
        for name, value in medians.items():
            seconds.setdefault(name, []).append(value)
        text = {name: f"{value:.2e}" for name, value in medians.items()}
        print(f"{contraction:24}{tuple(sizes)!s:24}", text, flush=True)
    ratios = held_out_regrets(drawn, seconds)
    within = statistics.mean(ratio <= 1.1 for ratio in ratios)
    print(f"held out: within 10 % of the best at {within:.0%}, worst {max(ratios):.2f}")
    return {name: fit_costs(drawn, times) for name, times in seconds.items()}


def fit_costs(sizes: Sequence[Sizes], seconds: Sequence[float]) -> dict[str, float]:
    """Return the coefficients of one implementation that was timed at some sizes."""
    from scipy.optimize import least_squares, nnls  # all else here and in `costs` works without

    nanoseconds = np.array(seconds) * 1e9
    works = np.array([[work(*s) for work in WORKS.values()] for s in sizes], dtype=float)
    shares = works / nanoseconds[:, None]
    scale = shares.max(0)
    done = scale > 0  # by any of the sizes
    shares = shares[:, done] / scale[done]
    start, _ = nnls(shares, np.ones(len(sizes)))
    solution = least_squares(
        lambda c: np.log(shares @ c),
        np.maximum(start, LEAST),
        jac=lambda c: shares / (shares @ c)[:, None],
        bounds=(LEAST / 10, np.inf),
        loss="soft_l1",
        f_scale=0.2,
    )
    coefficients = np.zeros(len(WORKS))
    coefficients[done] = np.where(solution.x > LEAST, solution.x, 0) / scale[done]
    return {w: float(f"{c:.3g}") for w, c in zip(WORKS, coefficients, strict=True) if c > 0}


def regrets(
    candidates: Mapping[str, Costs], sizes: Sequence[Sizes], seconds: Mapping[str, Sequence[float]]
) -> list[float]:
    """Return, at each size, the time of the one predicted to be cheapest over the least time."""
    return [
        seconds[cheapest(candidates, s)][n] / min(times[n] for times in seconds.values())
        for n, s in enumerate(sizes)
    ]


def held_out_regrets(sizes: Sequence[Sizes], seconds: Mapping[str, Sequence[float]]) -> list[float]:
    """Return `regrets` at all sizes, with coefficients that have not seen them: `FOLDS` fits."""
    ratios = []
    for fold in range(FOLDS):
        seen = [n for n in range(len(sizes)) if n % FOLDS != fold]
        costs: dict[str, Costs] = {
            name: fit_costs([sizes[n] for n in seen], [times[n] for n in seen])
            for name, times in seconds.items()
        }
        left = {name: times[fold::FOLDS] for name, times in seconds.items()}
        ratios += regrets(costs, sizes[fold::FOLDS], left)
    return ratios


def format_table(table: Mapping[str, Any], indent: str = "") -> str:
    """Return a nested table as JSON, the coefficients of an implementation in a line."""
    if not any(isinstance(value, Mapping) for value in table.values()):
        return json.dumps(table)
    inner = indent + "  "
    lines = [f"{inner}{json.dumps(k)}: {format_table(value, inner)}" for k, value in table.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
