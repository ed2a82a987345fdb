"""A fitted estimator as plain numbers: columns, their effects, pairs, a network, a link.

An exported estimator reads one number for each column. That of a category is the number of its
label, counted from 0 in the order of `Table.columns`; NaN is a missing value, and any other number
a label that was not seen in training.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec.grid import Array

from .program import Program, Single, program_of, single

if TYPE_CHECKING:
    from ..estimators.base import KANEstimator

LINKS = {
    "Squared": "identity",
    "Logistic": "logistic",
    "Softmax": "softmax",
    "Poisson": "exponential",
    "Gamma": "exponential",
}
MOST_HOT = 16
"""A category with more levels enters a network by its effect, as `estimators.networks` does."""


@dataclass(frozen=True, eq=False)
class Column:
    """Where the values of a column fall.

    Attributes:
        name: Of the column.
        knots: Increasing, shape (K,), of numbers; or None.
        labels: Of a category, with None for a missing value; or empty.
    """

    name: str
    knots: Array | None
    labels: tuple[object, ...]

    @property
    def missing(self) -> int:
        """The number of the label of missing values, or -1."""
        return self.labels.index(None) if None in self.labels else -1

    @property
    def note(self) -> str:
        """The name, and which number stands for which label, in one line."""
        if self.knots is not None:
            return printable(self.name)
        known = f"the number of its label, {number_labels(self.labels)}"
        return f"{printable(self.name)}: {known}; another number for any other"

    @classmethod
    def of(cls, column: Any) -> Column:
        """Take a column of `estimators.terms`."""
        return cls(column.name, getattr(column, "knots", None), getattr(column, "labels", ()))

    def values(self, x: Array) -> npt.NDArray[Any]:
        """Return values (N,) of the table for the numbers that an exported program reads."""
        if self.knots is not None:
            return x
        unseen = object()
        known = {float(n): label for n, label in enumerate(self.labels)}
        found = [None if np.isnan(v) else known.get(float(v), unseen) for v in x]
        values = np.empty(len(x), object)
        values[:] = found
        return values

    def codes(self, values: npt.NDArray[Any]) -> Array:
        """Return the numbers that an exported program reads for values (N,) of the table."""
        if self.knots is not None:
            return np.asarray(values, np.float64)
        code = {label: float(n) for n, label in enumerate(self.labels)}
        plain = [None if v is None or v != v else v for v in values.tolist()]
        missing = code.get(None, np.nan)
        return np.array([missing if v is None else code.get(v, -1.0) for v in plain])


def number_labels(labels: Iterable[object]) -> str:
    """Return labels behind their numbers, in one line."""
    return printable(", ".join(f"{n} {label}" for n, label in enumerate(labels)))


def printable(text: object) -> str:
    """Return a text with spaces in the place of what cannot be printed, such as ends of lines."""
    return "".join(char if char.isprintable() else " " for char in str(text))


@dataclass(frozen=True, eq=False)
class Surface:
    """A learned function of two columns.

    Attributes:
        pair: Numbers of the columns.
        columns: Both, with the knots or labels of this term.
        effects: Shape (slots of the first, slots of the second, O).
    """

    pair: tuple[int, int]
    columns: tuple[Column, Column]
    effects: Single


@dataclass(frozen=True, eq=False)
class Table:
    """A fitted estimator.

    Attributes:
        columns: Of the table.
        intercept: Shape (O,).
        effects: Of each column, shape (slots, O).
        surfaces: Of pairs of columns.
        network: What hidden layers add, for encoded columns, or None.
        scale: What the network's outputs are multiplied by, (O,).
        link: One of the values of `LINKS`.
        classes: Labels of a classifier, or empty.
        source: What it was made from, for people.
    """

    columns: tuple[Column, ...]
    intercept: Single
    effects: tuple[Single, ...]
    surfaces: tuple[Surface, ...]
    network: Program | None
    scale: Single
    link: str
    classes: tuple[object, ...]
    source: str
    estimator: KANEstimator

    @property
    def outputs(self) -> int:
        """Number of predictions: of targets, or of probabilities."""
        return len(self.classes) or len(self.intercept)

    def predictions(self, x: npt.ArrayLike) -> Array:
        """Return what the estimator predicts for numbers (N, I): targets, or probabilities."""
        rows = np.asarray(x, np.float64)
        columns = [c.values(v) for c, v in zip(self.columns, rows.T, strict=True)]
        estimator: Any = self.estimator
        eta = estimator.model_(columns)
        if estimator._network is not None:
            eta = eta + estimator._network(estimator.model_, columns)
        if self.classes:
            return np.asarray(estimator._probabilities(eta), np.float64)
        return np.asarray(estimator._family.mean(eta), np.float64)

    def vectors(self, count: int = 8, seed: int = 0) -> tuple[Single, Single, Single]:
        """Return inputs (N, I), predictions (N, O) and bounds of their errors (N, O), for a test.

        Numbers come from between and a little beyond the knots, labels in turn, and some values
        are missing. The bound is 64 roundings of the largest prediction.
        """
        rng = np.random.default_rng(seed)
        parts = [_draw(column, rng, count) for column in self.columns]
        x = np.stack(parts, axis=1).astype(np.float32)
        want = self.predictions(x)
        size = 1.0 if self.classes else np.abs(want).max() + np.abs(self.intercept).max()
        steep = sum(float(np.abs(effects).max()) for effects in self.effects)
        bound = 64 * np.finfo(np.float32).eps * (size + (0 if self.classes else steep))
        return x, want.astype(np.float32), np.full_like(want, bound, np.float32)


def _draw(column: Column, rng: np.random.Generator, count: int) -> Array:
    if column.knots is None:
        values = np.arange(count) % (len(column.labels) + 1) - 1.0
        return np.where(np.arange(count) == count - 1, np.nan, values)
    low, high = column.knots[0], column.knots[-1]
    values = rng.uniform(low - (high - low) / 8, high + (high - low) / 8, count)
    return np.where(rng.random(count) < 0.1, np.nan, values)


def is_estimator(model: Any) -> bool:
    """Say whether a model is an estimator, fitted or not."""
    return hasattr(model, "fit") and hasattr(model, "hidden_layer_sizes")


def table_of(where: str, model: Any) -> Table:
    """Describe a fitted estimator.

    Raises:
        NotFittedError: It is not fitted.
        ValueError: A number is not finite in float32.
    """
    additive, trained = model.model_, model._network
    network, scale = None, np.ones(len(additive.intercept), np.float32)
    if trained is not None:
        network = program_of(where, trained.model.network)
        scale = single(where, trained.scale)
    surfaces = [
        Surface(
            s.pair, (Column.of(s.columns[0]), Column.of(s.columns[1])), single(where, s.effects)
        )
        for s in additive.surfaces
    ]
    return Table(
        tuple(Column.of(term.column) for term in additive.terms),
        single(where, additive.intercept),
        tuple(single(where, term.effects) for term in additive.terms),
        tuple(surfaces),
        network,
        scale,
        LINKS[type(model._family).__name__],
        tuple(getattr(model, "classes_", ())),
        f"a {type(model).__name__}",
        model,
    )
