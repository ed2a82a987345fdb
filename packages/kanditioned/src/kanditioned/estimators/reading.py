"""From what a user passes to the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted, validate_data

from . import table
from .arrays import Objects

FLOATS = (np.float64, np.float32)


@dataclass(frozen=True)
class Table:
    """Columns (N,) of inputs, and the dtype of the predictions for them."""

    columns: list[Objects]
    dtype: npt.DTypeLike

    def __len__(self) -> int:
        return len(self.columns[0])

    def take(self, index: Any) -> Table:
        """Return some rows; those of a slice stay where they are."""
        return Table([column[index] for column in self.columns], self.dtype)


def training(
    estimator: Any, X: Any, y: Any, reset: bool = True, **options: Any
) -> tuple[Table, Any]:
    """Check inputs and targets, and remember the columns, or with `reset=False` compare them."""
    where = f"{type(estimator).__name__}.{'fit' if reset else 'partial_fit'}"
    if table.is_frame(X):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        columns, dtype = table.columns_of(where, X), np.dtype(np.float64)
        y = table.targets(estimator, X, y, **options)
    else:
        kind = FLOATS if _has_no_labels(estimator) else None
        X, y = validate_data(
            estimator, X, y, reset=reset, dtype=kind, ensure_all_finite="allow-nan", **options
        )
        columns = list(X.T)
        dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
    if reset:
        names = getattr(estimator, "feature_names_in_", None)
        estimator._names = [f"x{i}" for i in range(len(columns))] if names is None else list(names)
        estimator._categorical = _choose_categories(estimator, columns)
    return Table(_by_type(estimator, where, columns), dtype), y


def inputs(estimator: Any, X: Any) -> Table:
    """Check inputs of a fitted estimator."""
    check_is_fitted(estimator)
    where = f"{type(estimator).__name__}.predict"
    if table.is_frame(X):
        validate_data(estimator, X, reset=False, skip_check_array=True)
        columns, dtype = table.columns_of(where, X), np.dtype(np.float64)
    else:
        kind = None if estimator._categorical else FLOATS
        X = validate_data(estimator, X, dtype=kind, ensure_all_finite="allow-nan", reset=False)
        columns = list(X.T)
        dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
    return Table(_by_type(estimator, where, columns), dtype)


def _has_no_labels(estimator: Any) -> bool:
    given = estimator.categorical_features
    return given is None or (isinstance(given, str) and given == "from_dtype")


def _choose_categories(estimator: Any, columns: list[Objects]) -> frozenset[int]:
    where, given = type(estimator).__name__, estimator.categorical_features
    if given is None:
        return frozenset()
    if isinstance(given, str) and given == "from_dtype":
        return frozenset(i for i, values in enumerate(columns) if values.dtype == object)
    return frozenset(table.choose_columns(where, "categorical_features", given, estimator._names))


def _by_type(estimator: Any, where: str, columns: list[Objects]) -> list[Objects]:
    stays = table.is_large(columns)
    return [
        values if number in estimator._categorical else table.numbers(where, name, values, stays)
        for number, (name, values) in enumerate(zip(estimator._names, columns, strict=True))
    ]
