"""The fitted additive model: an intercept, a term for each column of the table, and pair terms.

    f(row) = intercept + Σ_i term_i(row[i]) + Σ pairs surface(row[i], row[j])

in units of the prediction (log-odds, or the logarithm of the mean, behind a link). This is all that
prediction needs, so it is what plots, exports and files are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kanditioned_spec import TensorProduct

from .arrays import Indices, Matrix, Objects, Vector


class Rows(NamedTuple):
    """Where the values of one column fall: two neighbouring slots and a fraction, each (N,).

    A value has the weight 1 - fraction in its slot and fraction in the next one.
    """

    slot: Indices
    fraction: Vector

    @property
    def samples(self) -> int:
        """N."""
        return len(self.slot)

    def take(self, index: slice | Indices) -> Rows:
        """Return some of them."""
        return Rows(self.slot[index], self.fraction[index])


@dataclass(frozen=True)
class Numeric:
    """A column of numbers with K knots. Slot K is for missing values.

    Attributes:
        name: Of the column.
        knots: Increasing, in units of the column, shape (K,).
        outer: Number of knots at each end that lie beyond the training data.
        monotone: 1 if its curve must not fall, -1 if it must not rise, else 0.
        convex: 1 if its curve must be convex, -1 if concave, else 0.
    """

    name: str
    knots: Vector
    outer: int = 0
    monotone: int = 0
    convex: int = 0

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.knots) + 1

    @property
    def positions(self) -> Vector:
        """The knots."""
        return self.knots

    def numbers(self, values: Objects) -> Vector:
        """Return values (N,) in units of the knots, NaN where they are missing."""
        return np.asarray(values, np.float64)

    def locate(self, values: Objects) -> Rows:
        """Return where values (N,) fall; beyond the ends the fraction leaves [0, 1]."""
        x = np.asarray(values, np.float64)
        is_missing = np.isnan(x)
        last = len(self.knots) - 1
        if last == 0:
            return Rows(np.zeros(len(x), np.intp), is_missing.astype(np.float64))
        slot = np.searchsorted(self.knots[1:-1], x, "right")
        with np.errstate(over="ignore"):
            fraction = (x - self.knots[slot]) / np.diff(self.knots)[slot]
        slot[is_missing], fraction[is_missing] = last, 1.0
        return Rows(slot, fraction)


@dataclass(frozen=True)
class Category:
    """A column of labels with L levels, of which a missing value may be one.

    Slot L is for labels that were not seen in training: they have no effect.

    Attributes:
        name: Of the column.
        labels: Shape (L,), with None for a missing value.
    """

    name: str
    labels: tuple[object, ...]

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.labels) + 1

    @property
    def positions(self) -> Vector:
        """The numbers of the labels."""
        return np.arange(float(len(self.labels)))

    def numbers(self, values: Objects) -> Vector:
        """Return the number of each label (N,), NaN for one that was not seen in training."""
        rows = self.locate(values)
        return np.where(rows.fraction > 0, np.nan, rows.slot)

    def locate(self, values: Objects) -> Rows:
        """Return the levels of values (N,)."""
        code = {label: index for index, label in enumerate(self.labels)}
        slot = np.array([code.get(label, len(code)) for label in plain(values)], np.intp)
        is_unseen = slot == len(code)
        return Rows(np.where(is_unseen, len(code) - 1, slot), is_unseen.astype(np.float64))


Column = Numeric | Category


def plain(values: Objects) -> list[object]:
    """Return labels with None for every kind of missing value: None, NaN, pandas.NA and NaT."""
    return [None if _is_missing(value) else value for value in values.tolist()]


def _is_missing(value: object) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # the truth of pandas.NA
        return True


@dataclass(frozen=True)
class LazyRows:
    """Where the values of one column of a large table fall, looked up when it is asked for.

    Attributes:
        column: Of the table.
        values: Shape (N,).
        is_clamped: Whether values beyond an end count as that end.
    """

    column: Column
    values: Objects
    is_clamped: bool = False

    @property
    def samples(self) -> int:
        """N."""
        return len(self.values)

    def take(self, index: slice | Indices) -> Rows:
        """Return some of the rows."""
        rows = self.column.locate(self.values[index])
        return clamp(rows) if self.is_clamped else rows


Place = Rows | LazyRows


def interpolate(effects: Matrix, rows: Rows) -> Matrix:
    """Evaluate effects (S, ...) of a column's slots at its rows, giving (N, ...)."""
    fraction = rows.fraction.reshape(-1, *[1] * (effects.ndim - 1))
    below = effects[rows.slot]
    result: Matrix = below + fraction * (effects[rows.slot + 1] - below)
    return result


@dataclass(frozen=True)
class Term:
    """A learned function of one column.

    Attributes:
        column: Which, with its knots or labels.
        effects: Its value in every slot: at the knots and for a missing value, or for each label
            and for an unseen one; shape (slots, O). Its mean over the training rows is zero.
    """

    column: Column
    effects: Matrix

    def __call__(self, values: Objects) -> Matrix:
        """Evaluate at values (N,), giving (N, O)."""
        return interpolate(self.effects, self.column.locate(values))


@dataclass(frozen=True)
class Surface:
    """A learned function of two columns: bilinear between its knots, constant beyond their ends.

    A category's knots are the numbers of its labels. Missing and unseen values have no effect.

    Attributes:
        pair: Numbers of the two columns.
        columns: Both, with the knots or labels of this term.
        product: The function of their numbers.
    """

    pair: tuple[int, int]
    columns: tuple[Column, Column]
    product: TensorProduct

    @classmethod
    def of(cls, pair: tuple[int, int], columns: tuple[Column, Column], effects: Matrix) -> Surface:
        """Take values of all slots, those of missing and unseen ones zero."""
        first, second = (column.positions for column in columns)
        return cls(pair, columns, TensorProduct(first, second, effects[:-1, :-1]))

    @property
    def effects(self) -> Matrix:
        """Values at the knots and in the last slots, (slots, slots, O)."""
        return np.pad(self.product.values, [(0, 1), (0, 1), (0, 0)])

    def __call__(self, first: Objects, second: Objects) -> Matrix:
        """Evaluate at values (N,) and (N,), giving (N, O)."""
        both = zip(self.columns, (first, second), strict=True)
        x = np.stack([column.numbers(values) for column, values in both], axis=1)
        total: Matrix = self.product(x)
        total[np.isnan(x).any(1)] = 0.0
        return total


def clamp(rows: Rows) -> Rows:
    """Move what lies beyond an end to that end."""
    return Rows(rows.slot, rows.fraction.clip(0.0, 1.0))


@dataclass(frozen=True)
class Additive:
    """The model.

    Attributes:
        intercept: Shape (O,).
        terms: One for each column of the table.
        surfaces: Of pairs of columns.
    """

    intercept: Vector
    terms: tuple[Term, ...]
    surfaces: tuple[Surface, ...] = ()

    def contributions(self, table: Sequence[Objects]) -> Iterator[Matrix]:
        """Yield what each term adds to the prediction, (N, O) each, surfaces last."""
        for term, values in zip(self.terms, table, strict=True):
            yield term(values)
        for surface in self.surfaces:
            yield surface(*(table[number] for number in surface.pair))

    def __call__(self, table: Sequence[Objects]) -> Matrix:
        """Evaluate at rows given by columns (N,), giving (N, O)."""
        total = np.tile(self.intercept, (len(table[0]), 1))
        for part in self.contributions(table):
            total += part
        return total
