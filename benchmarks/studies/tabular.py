"""Real data under one cross-validation: `python -m benchmarks.studies.tabular`.

Our models at their defaults beside linear models, multilayer perceptrons and gradient boosting from
scikit-learn, pygam's additive models and interpret's explainable boosting machines, all at theirs,
and networks of other libraries' layers, in the folder of competitors, which are trained by the same
steps as ours. Score: R², or the log-loss. No test fold is used to choose anything: where a setting
is chosen, it is by cross-validation within the training folds. Seconds are processor time of all
fits and predictions. Needed beside the rest: `pip install --no-deps ISLP interpret-core pygam`.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from kanditioned.estimators import KANClassifier, KANRegressor

from .. import machine
from ..results import FOLDER, Table
from ..speed.environments import DEFAULT_FOLDER, UnavailableError
from .stack import StackClassifier, StackRegressor
from .tables import TASKS, Task

FOLDS = 5
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
Make = Callable[[], BaseEstimator]


def _numbers(model: BaseEstimator) -> BaseEstimator:
    """Put one-hot labels, medians for missing numbers and standardisation before a model."""
    labels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
         make_column_selector(dtype_include="number")),
        (labels, make_column_selector(dtype_exclude="number")),
    )  # fmt: skip
    return make_pipeline(FunctionTransformer(_string_names), columns, model)


def _string_names(x: pd.DataFrame) -> pd.DataFrame:
    return x.set_axis([str(name) for name in x], axis=1)


def _categorical(x: pd.DataFrame) -> pd.DataFrame:
    labels = x.select_dtypes(exclude="number").columns
    return _string_names(x.astype(dict.fromkeys(labels, "category")))


def _boosting(kind: Any) -> BaseEstimator:
    """Make gradient boosting that knows which columns are labels."""
    return make_pipeline(
        FunctionTransformer(_categorical),
        kind(random_state=0, categorical_features="from_dtype"),
    )


class _Pygam(BaseEstimator):  # type: ignore[misc]
    """A GAM of pygam; columns of two values are linear terms.

    A regressor chooses its smoothing by pygam's own grid search, a classifier has its default.
    """

    def __init__(self, classifies: bool) -> None:
        self.classifies = classifies

    def fit(self, x: Any, y: Any) -> _Pygam:
        """Fit."""
        pygam = _package("pygam")
        if self.classifies:
            self.classes_, y = np.unique(y, return_inverse=True)
            if len(self.classes_) > 2:
                raise UnavailableError("pygam has no model of several classes")
        kind = pygam.LogisticGAM if self.classifies else pygam.LinearGAM
        columns = range(x.shape[1])
        terms = [(pygam.s if len(np.unique(x[:, i])) > 2 else pygam.l)(i) for i in columns]
        total = terms[0]
        for term in terms[1:]:
            total += term
        model, x, y = kind(total), np.asarray(x), np.asarray(y)
        # Its search takes minutes for a classifier of 30 columns.
        self.model_ = model.fit(x, y) if self.classifies else model.gridsearch(x, y, progress=False)
        return self

    def predict(self, x: Any) -> Any:
        """Return predictions."""
        return self.model_.predict(np.asarray(x))

    def predict_proba(self, x: Any) -> Any:
        """Return the probability of both classes."""
        second = self.model_.predict_proba(np.asarray(x))
        return np.stack([1 - second, second], 1)


def _explainable(classifies: bool, **options: Any) -> BaseEstimator:
    glassbox = _package("interpret.glassbox")
    name = "ExplainableBoostingClassifier" if classifies else "ExplainableBoostingRegressor"
    model: BaseEstimator = getattr(glassbox, name)(random_state=0, n_jobs=1, **options)
    return make_pipeline(FunctionTransformer(_string_names), model)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"{name} is not installed: {error}") from error


CLASSIFIERS: dict[str, Make] = {
    "linear": lambda: _numbers(LogisticRegressionCV(max_iter=5000, use_legacy_attributes=False)),
    "mlp": lambda: _numbers(MLPClassifier((64,), max_iter=500, random_state=0)),
    "gradient boosting": lambda: _boosting(HistGradientBoostingClassifier),
    "pygam": lambda: _numbers(_Pygam(True)),
    "ebm without pairs": lambda: _explainable(True, interactions=0),
    "ebm": lambda: _explainable(True),
    "kan without pairs": lambda: KANClassifier(interactions=0),
    "kan": lambda: KANClassifier(),
    "kan 16 hidden": lambda: KANClassifier((16,)),
}
REGRESSORS: dict[str, Make] = {
    "linear": lambda: _numbers(RidgeCV(np.logspace(-4, 4, 17))),
    "mlp": lambda: _numbers(MLPRegressor((64,), max_iter=1000, random_state=0)),
    "gradient boosting": lambda: _boosting(HistGradientBoostingRegressor),
    "pygam": lambda: _numbers(_Pygam(False)),
    "ebm without pairs": lambda: _explainable(False, interactions=0),
    "ebm": lambda: _explainable(False),
    "kan without pairs": lambda: KANRegressor(interactions=0),
    "kan": lambda: KANRegressor(),
    "kan 16 hidden": lambda: KANRegressor((16,)),
}


def models(task: Task, folder: Path) -> dict[str, Make]:
    """Return constructors by name, other libraries' networks where they are installed."""
    own = CLASSIFIERS if task.classifies else REGRESSORS
    other = StackClassifier if task.classifies else StackRegressor

    def chosen(name: str) -> BaseEstimator:
        grid = {"learning_rate": LEARNING_RATES}
        return _numbers(GridSearchCV(other(name, folder), grid, cv=3, error_score="raise"))

    return {**own, **{f"{name}, 16 hidden, rate chosen": partial(chosen, name) for name in OTHERS}}


def scores(task: Task, make: Make) -> list[float]:
    """Return the R² or the log-loss of every fold."""
    x, y = task.load()
    kind = StratifiedKFold if task.classifies else KFold
    found = []
    for train, test in kind(FOLDS, shuffle=True, random_state=0).split(x, y):
        model = make().fit(x.iloc[train], y[train])
        if task.classifies:
            labels = np.unique(y[train])
            found.append(log_loss(y[test], model.predict_proba(x.iloc[test]), labels=labels))
        else:
            found.append(r2_score(y[test], model.predict(x.iloc[test])))
    return found


def run(given: argparse.Namespace) -> None:
    """Cross-validate every model on every table; a row each."""
    table = Table(FOLDER / "tabular.csv", ("data", "model"))
    for name, task in tqdm(TASKS.items(), unit="data"):
        if given.data and name not in given.data:
            continue
        for label, make in models(task, given.competitors).items():
            row: dict[str, Any] = {"data": name, "model": label}
            if row in table or (given.only and not any(word in label for word in given.only)):
                continue
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found = scores(task, make)
                except UnavailableError as error:
                    print(f"{name}, {label}: {error}")
                    continue
            row |= {"score": f"{np.mean(found):.4f}", "spread": f"{np.std(found):.4f}"}
            row |= {"metric": "log-loss" if task.classifies else "r2"}
            row |= {"cpu_seconds": round(time.process_time() - start, 2)}
            row |= {"samples": len(task.load()[1])}
            table.append({**row, **machine.description("cpu", torch.get_num_threads())})


def main() -> None:
    """Run for the tables on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.tabular")
    parser.add_argument("data", nargs="*", metavar="DATA")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="in names of models")
    parser.add_argument("--competitors", type=Path, default=DEFAULT_FOLDER, help="their folder")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with threadpool_limits(given.threads):
        run(given)


if __name__ == "__main__":
    main()
