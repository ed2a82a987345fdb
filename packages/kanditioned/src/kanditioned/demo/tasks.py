"""The data sets, which come with scikit-learn and vega_datasets, and the models.

Every model runs with the defaults of its class. Linear models and MLPs get standardised columns,
indicators for labels and means for what is missing; the others read the table as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kanditioned_spec import validate

from ..estimators import KANClassifier, KANRegressor

DIABETES = (
    "age / years", "sex", "body mass index", "blood pressure / mmHg", "cholesterol / mg dl⁻¹",
    "LDL / mg dl⁻¹", "HDL / mg dl⁻¹", "cholesterol ÷ HDL", "log triglycerides",
    "blood sugar / mg dl⁻¹",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A data set.

    Attributes:
        name: As printed.
        load: Returns a table and the targets.
        is_classification: Whether targets are labels.
    """

    name: str
    load: Callable[[], tuple[pd.DataFrame, npt.NDArray[Any]]]
    is_classification: bool = False

    @property
    def score(self) -> str:
        """What `score` of the models means."""
        return "accuracy" if self.is_classification else "R²"

    def folds(self, count: int) -> Any:
        """Return a splitter into shuffled folds, the same for every model."""
        kind = StratifiedKFold if self.is_classification else KFold
        return kind(count, shuffle=True, random_state=0)


def cars() -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    """Return 398 cars of 1970 to 1982, and how many miles each goes on a gallon."""
    table = _load_shipped("cars").dropna(subset=["Miles_per_Gallon"])
    columns = {
        "weight / lb": table["Weight_in_lbs"].astype(float),
        "model year 19..": pd.to_datetime(table["Year"]).dt.year - 1900.0,
        "horsepower": table["Horsepower"],
        "displacement / in³": table["Displacement"],
        "cylinders": table["Cylinders"].astype(float),
        "seconds to 60 mph": table["Acceleration"],
        "origin": table["Origin"],
    }
    return pd.DataFrame(columns), table["Miles_per_Gallon"].to_numpy()


def weather() -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    """Return 1461 days in Seattle, and the highest temperature of each in °C."""
    table = _load_shipped("seattle_weather")
    days = pd.to_datetime(table["date"]).dt
    columns = {
        "day of the year": days.day_of_year.astype(float),
        "rain / mm": table["precipitation"],
        "wind / m s⁻¹": table["wind"],
        "year": days.year.astype(float),
    }
    return pd.DataFrame(columns), table["temp_max"].to_numpy()


def hours() -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return hour, day and temperature in °F of every hour of a usual year in Seattle."""
    table = _load_shipped("seattle_temps")
    when = pd.to_datetime(table["date"]).dt
    return when.hour.to_numpy(), when.day_of_year.to_numpy(), table["temp"].to_numpy()


def diabetes() -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    """Return 442 patients, and how far diabetes had gone a year later."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    return pd.DataFrame(x, columns=DIABETES), y


def breast_cancer() -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    """Return 569 tumours, and whether each is benign."""
    return load_breast_cancer(return_X_y=True, as_frame=True)  # type: ignore[no-any-return]


TASKS = (
    Task("cars", cars),
    Task("Seattle weather", weather),
    Task("diabetes", diabetes),
    Task("breast cancer", breast_cancer, is_classification=True),
)


def models(task: Task) -> dict[str, Any]:
    """Return the models by name."""
    if task.is_classification:
        return {
            "linear": make_pipeline(_encoder(), LogisticRegression()),
            "MLP": make_pipeline(_encoder(), MLPClassifier(max_iter=1000, random_state=0)),
            "boosted trees": HistGradientBoostingClassifier(random_state=0),
            "KAN": KANClassifier(),
        }
    mlp = make_pipeline(_encoder(), MLPRegressor(max_iter=3000, random_state=0))
    trees = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    return {
        "linear": make_pipeline(_encoder(), RidgeCV()),
        "MLP": TransformedTargetRegressor(mlp, transformer=StandardScaler()),
        "boosted trees": make_pipeline(_indicators("passthrough"), trees),
        "KAN": KANRegressor(),
    }


def num_parameters(model: Any) -> int | None:
    """Return how many numbers a fitted model has learned, None for trees."""
    if hasattr(model, "num_parameters_"):
        return int(model.num_parameters_)
    model = getattr(model, "regressor_", model)
    last = model[-1] if hasattr(model, "steps") else model
    if hasattr(last, "coefs_"):
        return sum(int(array.size) for array in (*last.coefs_, *last.intercepts_))
    if hasattr(last, "coef_"):
        return int(np.size(last.coef_) + np.size(last.intercept_))
    return None


def _encoder() -> Any:
    return _indicators(make_pipeline(SimpleImputer(), StandardScaler()))


def _indicators(numbers: Any) -> Any:
    """Return a transformer that gives labels a column each, and numbers to another."""
    labels = make_column_selector(dtype_exclude=np.number)
    each = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((each, labels), remainder=numbers)


def _load_shipped(name: str) -> pd.DataFrame:
    """Return a table that lies in the package vega_datasets."""
    data = validate.import_optional(
        "kanditioned.demo", "vega_datasets", "kanditioned[demo]"
    ).local_data
    path = Path(getattr(data, name).filepath)
    if path.suffix == ".csv":
        return pd.read_csv(path)
    return pd.DataFrame(json.loads(path.read_text(encoding="utf-8")))
