"""Models that are told what rises, beside themselves: `python -m benchmarks.studies.monotone`.

Ours, scikit-learn's boosted trees, pygam's additive models and kanboost's boosted splines, at their
defaults, on small noisy samples of functions that rise or fall in every input. The error is the
root mean square distance from the true function, in standard deviations of it, on inputs of the
same kind; the median of 20 samples. Falls are the share of neighbours among 2000 values of one
input, the others fixed, at which a told model goes the wrong way, beyond the data included. Needed
beside the rest: `pip install --no-deps "pygam>=0.10" kanboost` and what these import.
"""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.machine import description
from kanditioned.estimators import KANRegressor
from kanditioned_spec.grid import Array

SAMPLES, ROWS, PATH = 20, 150, 2000
NOISE = 0.5
"""Its deviation, in those of the function."""
Model = Callable[[Array, Array, list[int]], Any]

PROBLEMS: dict[str, tuple[list[int], Callable[[Array], Array]]] = {
    "saturating": ([1], lambda x: np.tanh(2 * x[:, 0])),
    "threshold": ([1], lambda x: 1 / (1 + np.exp(-12 * (x[:, 0] - 0.5)))),
    "three inputs": ([1, -1, 1], lambda x: np.exp(x[:, 0]) - x[:, 1] ** 3 + np.sqrt(2 + x[:, 2])),
    "straight": ([1, 1], lambda x: x[:, 0] + x[:, 1]),
}


def ours(x: Array, y: Array, signs: list[int]) -> Any:
    """Return a `KANRegressor`; without interactions, since constraints are of curves."""
    return KANRegressor(interactions=0, monotone=dict(enumerate(signs))).fit(x, y)


def trees(x: Array, y: Array, signs: list[int]) -> Any:
    """Return scikit-learn's `HistGradientBoostingRegressor`."""
    return HistGradientBoostingRegressor(monotonic_cst=signs, random_state=0).fit(x, y)


def additive(x: Array, y: Array, signs: list[int]) -> Any:
    """Return a `LinearGAM` of pygam, its smoothing chosen by its grid search."""
    pygam = importlib.import_module("pygam")
    names = {1: "monotonic_inc", -1: "monotonic_dec", 0: None}
    terms = sum(
        (pygam.s(i, constraints=names[sign]) for i, sign in enumerate(signs[1:], 1)),
        pygam.s(0, constraints=names[signs[0]]),
    )
    return pygam.LinearGAM(terms).gridsearch(x, y, progress=False)


def make_boosting(x: Array, y: Array, signs: list[int]) -> Any:
    """Return a `KANBoostRegressor` of kanboost without hidden features, as constraints need it."""
    kanboost = importlib.import_module("kanboost")
    constraints = {f"x{i}": sign for i, sign in enumerate(signs) if sign}
    model = kanboost.KANBoostRegressor(
        kan_hidden=1, gam=True, monotone_constraints=constraints or None
    )
    model.fit(name_columns(x), y)
    return SimpleNamespace(predict=lambda rows: np.ravel(model.predict(name_columns(rows))))


def name_columns(x: Array) -> Any:
    """Return a frame of columns x0, x1, ..."""
    pandas = importlib.import_module("pandas")
    return pandas.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])])


MODELS: dict[str, Model] = {
    "kanditioned": ours,
    "boosted trees": trees,
    "pygam": additive,
    "kanboost": make_boosting,
}


def falls(model: Any, signs: list[int], rng: np.random.Generator) -> float:
    """Return the share of neighbouring inputs at which the model goes the wrong way."""
    wrong = []
    for i, sign in enumerate(signs):
        x = np.repeat(rng.uniform(-1, 1, (1, len(signs))), PATH, 0)
        x[:, i] = np.linspace(-2, 2, PATH)
        y = model.predict(x)
        wrong.append((sign * np.diff(y) < -1e-12 * np.abs(y).max()).mean())
    return float(np.mean(wrong))


def measure(fit: Model, signs: list[int], told: bool, truth: Callable[[Array], Array]) -> str:
    """Return error, falls and time over the samples."""
    errors, wrong, seconds = [], [], []
    for seed in range(SAMPLES):
        rng = np.random.default_rng(seed)
        x, x_test = (rng.uniform(-1, 1, (count, len(signs))) for count in (ROWS, 5000))
        y, y_test = truth(x), truth(x_test)
        deviation = y_test.std()
        y = y + NOISE * deviation * rng.standard_normal(ROWS)
        began = time.process_time()
        model = fit(x, y, signs if told else [0] * len(signs))
        seconds.append(time.process_time() - began)
        errors.append(np.sqrt(np.mean((model.predict(x_test) - y_test) ** 2)) / deviation)
        wrong.append(falls(model, signs, rng))
    return f"{np.median(errors):.3f} | {100 * np.mean(wrong):.1f} % | {np.median(seconds):.2f} s"


def main() -> None:
    """Print the table."""
    about = description("cpu", 1)
    print(f"{about['device']}, {about['date']}, load {about['load']}\n")
    print("| problem | model | told | error | falls | fit |")
    print("|---|---|---|---|---|---|")
    for problem, (signs, truth) in PROBLEMS.items():
        for name, fit in MODELS.items():
            for told in (False, True):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # pygam's, of its own use of NumPy
                    row = measure(fit, signs, told, truth)
                print(f"| {problem} | {name} | {'yes' if told else 'no'} | {row} |", flush=True)


if __name__ == "__main__":
    main()
