"""How often 95 % bands hold the truth: `python -m benchmarks.studies.coverage`.

Functions that are known, noise of their own size, models at their defaults. The coverage is the
share of 2000 new inputs at which the true function lies in the band of the prediction: bands of
this kind cover on average over the inputs, not at each of them (Nychka, Bayesian confidence
intervals for smoothing splines, 1988). It is the mean over 40 samples, its spread is over them. For
a classifier the true probability must lie in `predict_interval`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import expit
from tqdm import tqdm

from kanditioned.estimators import KANClassifier, KANRegressor
from kanditioned_spec.grid import Array

from .. import machine
from ..results import FOLDER, Table

SAMPLES, TEST_ROWS = 40, 2000
SIZES = (300, 1000)
NORMAL = 1.959964
"""Standard deviations of a normal band of 95 %."""


def _curves(x: Array) -> Array:
    value: Array = np.sin(6 * x[:, 0]) + np.abs(x[:, 1]) + np.exp(x[:, 2]) / 2
    return value


def _with_pair(x: Array) -> Array:
    value: Array = _curves(x) + 2 * np.sin(2 * x[:, 0] * x[:, 3])
    return value


def _of_regressor(truth: Callable[[Array], Array], x: Array, new: Array, seed: int) -> Array:
    rng = np.random.RandomState(seed)
    y = truth(x) + rng.standard_normal(len(x)) * truth(new).std()
    mean, deviation = KANRegressor().fit(x, y).predict(new, return_std=True)
    inside: Array = np.abs(mean - truth(new)) <= NORMAL * deviation
    return inside


def _of_classifier(truth: Callable[[Array], Array], x: Array, new: Array, seed: int) -> Array:
    rng = np.random.RandomState(seed)
    middle = truth(new).mean()
    y = (rng.uniform(size=len(x)) < expit(2 * (truth(x) - middle))).astype(int)
    lower, upper = KANClassifier().fit(x, y).predict_interval(new)
    probability = expit(2 * (truth(new) - middle))
    inside: Array = (lower[:, 1] <= probability) & (probability <= upper[:, 1])
    return inside


PROBLEMS: dict[str, Callable[[Array, Array, int], Array]] = {
    "curves": lambda *given: _of_regressor(_curves, *given),
    "curves and a pair": lambda *given: _of_regressor(_with_pair, *given),
    "classes of curves": lambda *given: _of_classifier(_curves, *given),
    "classes of curves and a pair": lambda *given: _of_classifier(_with_pair, *given),
}


def main() -> None:
    """Measure what is not in the table yet."""
    table = Table(FOLDER / "coverage.csv", ("problem", "samples"))
    for problem, inside in PROBLEMS.items():
        for samples in SIZES:
            row = {"problem": problem, "samples": samples}
            if row in table:
                continue
            shares, start = [], time.process_time()
            for seed in tqdm(range(SAMPLES), desc=f"{problem}, {samples}", unit="sample"):
                rng = np.random.RandomState(1000 + seed)
                x, new = (rng.uniform(-1, 1, (count, 5)) for count in (samples, TEST_ROWS))
                shares.append(inside(x, new, seed).mean())
            row |= {"coverage": f"{np.mean(shares):.3f}", "spread": f"{np.std(shares):.3f}"}
            row |= {"cpu_seconds": round(time.process_time() - start, 2)}
            table.append({**row, **machine.description("cpu", torch.get_num_threads())})


if __name__ == "__main__":
    main()
