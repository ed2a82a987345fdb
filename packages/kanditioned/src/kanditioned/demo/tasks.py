"""The data sets, all of which come with scikit-learn, and the models that are compared on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..estimators import KANClassifier, KANRegressor

DIABETES_NAMES = (
    "age / years", "sex", "body mass index", "blood pressure / mmHg", "cholesterol / mg dl⁻¹",
    "LDL / mg dl⁻¹", "HDL / mg dl⁻¹", "cholesterol ÷ HDL", "log triglycerides",
    "blood sugar / mg dl⁻¹",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A data set, and the network that is trained on it.

    Attributes:
        name: As printed.
        load: Returns inputs and targets.
        is_classification: Whether targets are labels.
        hidden: Hidden sizes of the KAN; none makes it additive.
        num_control_points: K of the KAN.
        max_iter: Most passes of the KAN over its training samples.
        smoothing: The λ to choose from.
    """

    name: str
    load: Callable[[], tuple[Any, Any]]
    is_classification: bool
    hidden: tuple[int, ...]
    num_control_points: int
    max_iter: int
    smoothing: tuple[float, ...]

    @property
    def score(self) -> str:
        """What `score` of the models means."""
        return "accuracy" if self.is_classification else "R²"

    def folds(self, count: int) -> Any:
        """Return a splitter into shuffled folds, the same for every model."""
        kind = StratifiedKFold if self.is_classification else KFold
        return kind(count, shuffle=True, random_state=0)


TASKS = (
    Task(
        "diabetes",
        partial(load_diabetes, return_X_y=True, scaled=False),
        is_classification=False,
        hidden=(),
        num_control_points=16,
        max_iter=1000,
        smoothing=(1e-1, 1.0, 10.0, 100.0),
    ),
    Task(
        "breast cancer",
        partial(load_breast_cancer, return_X_y=True),
        is_classification=True,
        hidden=(),
        num_control_points=16,
        max_iter=100,
        smoothing=(1e-4, 1e-3, 1e-2, 1e-1),
    ),
    Task(
        "digits",
        partial(load_digits, return_X_y=True),
        is_classification=True,
        hidden=(16,),
        num_control_points=9,
        max_iter=30,
        smoothing=(1e-6, 1e-5, 1e-4, 1e-3),
    ),
)


def kan(task: Task, **options: Any) -> Any:
    """Return the KAN of a task."""
    kind = KANClassifier if task.is_classification else KANRegressor
    return kind(
        task.hidden,
        num_control_points=task.num_control_points,
        max_iter=task.max_iter,
        random_state=0,
        **options,
    )


def models(task: Task, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the models by name; each chooses its regularisation by an inner cross-validation."""
    inner = task.folds(3)
    outputs = len(np.unique(y)) if task.is_classification else 1
    outputs = 1 if outputs == 2 else outputs
    width = mlp_width(kan_size(task, x.shape[1], outputs), x.shape[1], outputs)
    strengths = [1e-3, 1e-2, 1e-1, 1.0]
    mlp_options = {
        "hidden_layer_sizes": (width,),
        "learning_rate_init": 0.01,
        "max_iter": 1000,
        "random_state": 0,
    }
    if task.is_classification:
        linear, linear_grid = LogisticRegression(max_iter=5000), {"C": [0.01, 0.1, 1.0, 10.0]}
        mlp, mlp_grid = MLPClassifier(**mlp_options), {"alpha": strengths}
    else:
        linear, linear_grid = Ridge(), {"alpha": [0.1, 1.0, 10.0, 100.0]}
        mlp = TransformedTargetRegressor(MLPRegressor(**mlp_options), transformer=StandardScaler())
        mlp_grid = {"regressor__alpha": strengths}
    return {
        "linear": _search(linear, linear_grid, inner),
        "MLP": _search(mlp, mlp_grid, inner),
        "KAN": GridSearchCV(kan(task), {"smoothing": list(task.smoothing)}, cv=inner),
    }


def kan_size(task: Task, inputs: int, outputs: int) -> int:
    """Return the number of parameters of a task's KAN."""
    widths = (inputs, *task.hidden, outputs)
    edges = sum(i * o for i, o in pairwise(widths))
    return task.num_control_points * edges


def mlp_width(size: int, inputs: int, outputs: int) -> int:
    """Return the hidden width of the MLP with about `size` parameters, biases included."""
    return max(1, round((size - outputs) / (inputs + 1 + outputs)))


def num_parameters(search: Any) -> int:
    """Return the number of parameters of the model that a fitted search has chosen."""
    best = search.best_estimator_
    if hasattr(best, "num_parameters_"):
        return int(best.num_parameters_)
    model = best[-1]
    model = getattr(model, "regressor_", model)
    if hasattr(model, "coefs_"):
        return sum(array.size for array in (*model.coefs_, *model.intercepts_))
    return int(np.size(model.coef_) + np.size(model.intercept_))


def _search(model: Any, grid: dict[str, Any], inner: Any) -> Any:
    pipeline = make_pipeline(StandardScaler(), model)
    step = pipeline.steps[-1][0]
    return GridSearchCV(pipeline, {f"{step}__{k}": v for k, v in grid.items()}, cv=inner)
