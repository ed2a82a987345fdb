"""Real data under one cross-validation: `python -m benchmarks.studies.tabular`.

Our networks beside linear models, multilayer perceptrons and gradient boosting from scikit-learn,
and networks of other libraries' layers, in the folder of competitors, which are trained by the same
steps as ours. Score: accuracy, or R². No test fold is used to choose anything: where a setting is
chosen, it is by cross-validation within the training folds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from kanditioned.estimators import KANClassifier, KANRegressor

from .. import machine
from ..results import FOLDER, Table
from ..speed.environments import DEFAULT_FOLDER, UnavailableError
from .stack import StackClassifier, StackRegressor

SMOOTHINGS = (1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5


def _friedman(make: Callable[..., Any]) -> Callable[[], tuple[Any, Any]]:
    return lambda: make(n_samples=1000, noise=1.0, random_state=0)


def _loaded(load: Callable[..., Any]) -> Callable[[], tuple[Any, Any]]:
    return lambda: load(return_X_y=True)


CLASSIFICATION = {
    "digits": _loaded(datasets.load_digits),
    "breast_cancer": _loaded(datasets.load_breast_cancer),
    "wine": _loaded(datasets.load_wine),
}
REGRESSION = {
    "diabetes": _loaded(datasets.load_diabetes),
    "friedman1": _friedman(datasets.make_friedman1),
    "friedman2": _friedman(datasets.make_friedman2),
    "friedman3": lambda: datasets.make_friedman3(n_samples=1000, noise=0.1, random_state=0),
}


def _chosen(model: BaseEstimator) -> BaseEstimator:
    return GridSearchCV(model, {"smoothing": SMOOTHINGS}, cv=3)


def _scaled(model: BaseEstimator) -> BaseEstimator:
    return make_pipeline(StandardScaler(), model)


CLASSIFIERS: dict[str, Callable[[], BaseEstimator]] = {
    "linear": lambda: _scaled(LogisticRegressionCV(max_iter=2000, use_legacy_attributes=False)),
    "mlp": lambda: _scaled(MLPClassifier(hidden_layer_sizes=(64,), max_iter=500, random_state=0)),
    "gradient boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    "kan additive": lambda: KANClassifier(random_state=0),
    "kan additive, smoothing chosen": lambda: _chosen(KANClassifier(random_state=0)),
    "kan 16 hidden": lambda: KANClassifier((16,), random_state=0),
    "kan 16 hidden, smoothing chosen": lambda: _chosen(KANClassifier((16,), random_state=0)),
}
REGRESSORS: dict[str, Callable[[], BaseEstimator]] = {
    "linear": lambda: _scaled(RidgeCV(np.logspace(-4, 4, 17))),
    "mlp": lambda: _scaled(MLPRegressor(hidden_layer_sizes=(64,), max_iter=1000, random_state=0)),
    "gradient boosting": lambda: HistGradientBoostingRegressor(random_state=0),
    "kan additive": lambda: KANRegressor(random_state=0),
    "kan additive, smoothing chosen": lambda: _chosen(KANRegressor(random_state=0)),
    "kan 16 hidden": lambda: KANRegressor((16,), random_state=0),
    "kan 16 hidden, smoothing chosen": lambda: _chosen(KANRegressor((16,), random_state=0)),
}


OTHERS = (
    "kanditioned 1.0.3 embedding_bag",
    "efficient-kan linear",
    "fast-kan",
    "flashkan",
    "inkan",
    "pykan",
    "jaxkan",
)
"""Whose layers are trained, names of `competitors`."""
LEARNING_RATES = (2e-3, 2e-2)


def models(classifies: bool, folder: Path) -> dict[str, Callable[[], BaseEstimator]]:
    """Return constructors by name, other libraries' networks where they are installed."""
    own = CLASSIFIERS if classifies else REGRESSORS
    other = StackClassifier if classifies else StackRegressor

    def chosen(name: str) -> BaseEstimator:
        grid = {"learning_rate": LEARNING_RATES}
        return GridSearchCV(other(name, folder), grid, cv=3, error_score="raise")

    return {**own, **{f"{name}, 16 hidden, rate chosen": partial(chosen, name) for name in OTHERS}}


def run(given: argparse.Namespace) -> None:
    """Cross-validate every model on every data set; a row each."""
    table = Table(FOLDER / "tabular.csv", ("data", "model"))
    for name, load in tqdm({**CLASSIFICATION, **REGRESSION}.items(), unit="data"):
        if given.data and name not in given.data:
            continue
        classifies = name in CLASSIFICATION
        x, y = load()
        folds = (StratifiedKFold if classifies else KFold)(FOLDS, shuffle=True, random_state=0)
        for label, make in models(classifies, given.competitors).items():
            row: dict[str, Any] = {"data": name, "model": label}
            if row in table or (given.only and not any(word in label for word in given.only)):
                continue
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                try:
                    scores = cross_val_score(make(), x, y, cv=folds, error_score="raise")
                except UnavailableError as error:
                    print(f"{label}: {error}")
                    continue
            row |= {"score": f"{scores.mean():.4f}", "spread": f"{scores.std():.4f}"}
            row |= {"metric": "accuracy" if classifies else "r2"}
            row |= {"cpu_seconds": round(time.process_time() - start, 2), "samples": len(x)}
            table.append({**row, **machine.description("cpu", torch.get_num_threads())})


def main() -> None:
    """Run for the data sets on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.tabular")
    parser.add_argument("data", nargs="*", metavar="DATA")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="in names of models")
    parser.add_argument("--competitors", type=Path, default=DEFAULT_FOLDER, help="their folder")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    run(given)


if __name__ == "__main__":
    main()
