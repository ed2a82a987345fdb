"""Least squares over batches of rows, exactly: sums that do not grow with the rows.

The sums are those of hat functions (`gram`). Bases, which are centred over all rows, come after the
last batch: the weight in every slot is one of the sums. So batches give the same model as all rows
at once, if their knots are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from . import gram, pirls
from .arrays import Flags, Matrix, Objects, Vector
from .basis import Basis, of_slots
from .design import Design, Moments
from .table import parts
from .terms import Column, Term
from .weights import Scale


class LeastSquares:
    """The sums of an additive model of squared errors.

    Args:
        columns: Of the table, with their knots and labels.
        outputs: Number of targets.
    """

    def __init__(self, columns: Sequence[Column], outputs: int) -> None:
        self.columns, self.outputs = list(columns), outputs
        self.rows = 0
        self._sums = gram.Sums([column.slots for column in columns], 1 + outputs)
        self._scale = Scale()
        self._shift: Vector | None = None
        self._weight, self._y, self._yy = 0.0, np.zeros(outputs), np.zeros(outputs)

    def add(
        self, data: Sequence[Objects], y: Matrix, weight: Vector, title: str | None = None
    ) -> None:
        """Add rows of weights > 0, part by part.

        Args:
            data: Columns (N,).
            y: Targets (N, O).
            weight: As given, not scaled, (N,).
            title: Of a progress bar; None shows none.
        """
        if self._shift is None:  # close to the mean, so that squares do not cancel
            self._shift = np.average(y, axis=0, weights=weight)
        self._scale.add(weight)
        self.rows += len(weight)
        for index in parts(len(weight), title):
            w, deviation = weight[index], y[index] - self._shift
            blocks = [
                gram.Block.of_column(column.locate(values[index]), column.slots)
                for column, values in zip(self.columns, data, strict=True)
            ]
            self._sums.add(blocks, w, np.hstack([np.ones((len(w), 1)), deviation]))
            self._weight += float(w.sum())
            self._y += w @ deviation
            self._yy += w @ deviation**2

    @property
    def weight(self) -> float:
        """Σ w, scaled to numbers of samples as `weights.count_samples` does."""
        return self._weight / self._scale.divisor

    def bases(self) -> list[Basis]:
        """Return the bases of the columns."""
        shares = self._sums.with_targets[:, 0] / self._scale.divisor
        return [
            of_slots(column, shares[first:last])
            for column, (first, last) in zip(self.columns, pairwise(self._sums.bounds), strict=True)
        ]

    def solve(self, design: Design, weights: Vector | None, fixed: Flags | None) -> pirls.Fit:
        """Fit a design of these bases, see `pirls.fit`."""
        assert self._shift is not None
        scale = self._scale.divisor
        xx, xy = self._sums.project([basis.matrix for basis in design.bases])
        moments = Moments(
            self.weight, xy[:, 0] / scale, self._y / scale, xx / scale, xy[:, 1:] / scale,
            self._yy / scale,
        )  # fmt: skip
        return pirls.least_squares(design, moments, self._shift, weights, fixed)

    def importance(self, terms: Sequence[Term]) -> Vector:
        """Return the standard deviation of each term over the rows, see `additive.Fitted`."""
        found = []
        for term, (first, last) in zip(terms, pairwise(self._sums.bounds), strict=True):
            own, effects = self._sums.products[first:last, first:last], term.effects
            mean = self._sums.with_targets[first:last, 0] @ effects / self._weight
            square = np.einsum("so,st,to->o", effects, own, effects) / self._weight
            found.append(np.sqrt(np.maximum(square - mean**2, 0.0).mean()))
        return np.array(found)
