"""Tables of the tabular study: scikit-learn's, synthetic ones, and those of the book ISLP.

The latter (James, Witten, Hastie, Tibshirani and Taylor, An Introduction to Statistical Learning,
2023) come with the package ISLP, which is read and never imported: `pip install --no-deps ISLP`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

from ..speed.environments import UnavailableError


@dataclass(frozen=True)
class Task:
    """A table with what is predicted.

    Attributes:
        load: Returns a DataFrame of inputs, and the targets.
        classifies: Whether the targets are labels.
    """

    load: Callable[[], tuple[pd.DataFrame, Any]]
    classifies: bool = False


def _of_sklearn(load: Callable[..., Any]) -> tuple[pd.DataFrame, Any]:
    x, y = load(return_X_y=True)
    return pd.DataFrame(x), y


def _make(make: Callable[..., Any], **options: Any) -> tuple[pd.DataFrame, Any]:
    x, y = make(random_state=0, **options)
    return pd.DataFrame(x), y


def _sin6() -> tuple[pd.DataFrame, Any]:
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (1000, 2))
    return pd.DataFrame(x), np.sin(6 * x[:, 0]) + np.abs(x[:, 1]) + 0.02 * rng.standard_normal(1000)


def _log_normal() -> tuple[pd.DataFrame, Any]:
    rng = np.random.RandomState(0)
    x = np.exp(1.5 * rng.standard_normal((2000, 1)))
    return pd.DataFrame(x), np.sin(2 * np.log(x[:, 0])) + 0.1 * rng.standard_normal(2000)


def _of_book(
    name: str, target: str, *, without: tuple[str, ...] = (), rows: int | None = None
) -> tuple[pd.DataFrame, Any]:
    found = importlib.util.find_spec("ISLP")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("ISLP is not installed: pip install --no-deps ISLP")
    table = pd.read_csv(Path(found.submodule_search_locations[0]) / "data" / f"{name}.csv")
    table = table.drop(columns=[c for c in table if c.startswith("Unnamed") or c in without])
    table = table[table[target].notna()]
    if rows is not None:
        table = table.sample(rows, random_state=0)
    return table.drop(columns=[target]), table[target].to_numpy()


def _with_gaps(load: Callable[[], tuple[pd.DataFrame, Any]]) -> tuple[pd.DataFrame, Any]:
    """Take a fifth of all values away at random."""
    x, y = load()
    gaps = np.random.RandomState(1).uniform(size=x.shape) < 0.2
    return x.mask(gaps), y


FRIEDMAN = partial(_make, datasets.make_friedman1, n_samples=600, noise=1.0)
BIKESHARE = partial(_of_book, "Bikeshare", "bikers", without=("casual", "registered"), rows=1200)
TASKS: dict[str, Task] = {
    "digits": Task(partial(_of_sklearn, datasets.load_digits), True),
    "breast_cancer": Task(partial(_of_sklearn, datasets.load_breast_cancer), True),
    "wine": Task(partial(_of_sklearn, datasets.load_wine), True),
    "OJ": Task(partial(_of_book, "OJ", "Purchase"), True),
    "Default": Task(partial(_of_book, "Default", "default"), True),
    "diabetes": Task(partial(_of_sklearn, datasets.load_diabetes)),
    "sin6": Task(_sin6),
    "log-normal": Task(_log_normal),
    "friedman1": Task(FRIEDMAN),
    "friedman2": Task(partial(_make, datasets.make_friedman2, n_samples=1000, noise=1.0)),
    "friedman3": Task(partial(_make, datasets.make_friedman3, n_samples=1000, noise=0.1)),
    "Carseats": Task(partial(_of_book, "Carseats", "Sales")),
    "College": Task(partial(_of_book, "College", "Outstate")),
    "Auto": Task(partial(_of_book, "Auto", "mpg", without=("name",))),
    "Hitters": Task(partial(_of_book, "Hitters", "Salary")),
    "Boston": Task(partial(_of_book, "Boston", "medv")),
    "Wage": Task(partial(_of_book, "Wage", "wage", without=("logwage", "region"))),
    "Bikeshare": Task(BIKESHARE),
    "friedman1, gaps": Task(partial(_with_gaps, FRIEDMAN)),
    "Bikeshare, gaps": Task(partial(_with_gaps, BIKESHARE)),
}
