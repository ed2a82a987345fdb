"""The terms of two columns: what they are fitted to, and their bases.

A pair term is a product of two small linear splines, bilinear between its knots. Its basis holds
products of the columns' centred bases, so it has next to nothing of their own curves, and three
learned weights: of the curvature along each column, S₁⊗I and I⊗S₂, and of its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import pirls, screening, table
from .arrays import Flags, Indices, Matrix, Objects, Vector
from .basis import Basis, Penalty, margins
from .design import Design, Tensor
from .families import Family
from .knots import FEW
from .reml import Penalties
from .shapes import has_shape
from .terms import Column, LazyRows, Numeric

Pair = tuple[int, int]

KNOTS = ((500, 4), (2000, 5))
"""Knots of a side of a pair below that many samples; `screening.BINS` above."""
FEW_VALUES = 3
"""A column of so few values leaves its partner `knots.FEW` knots."""
MOST_COEFFICIENTS = 96
"""Of a pair; one with more is left out, as of two categories with many labels."""
ROWS_PER_COEFFICIENT = 16
"""Of a pair with finer knots, at least."""
NEGLIGIBLE = 1e4
"""Coefficients whose penalty is so many times their data leave the basis before the folds."""


@dataclass(frozen=True)
class Problem:
    """What is fitted.

    Attributes:
        columns: Of the table.
        data: Their values (N,) each.
        design: Of the columns, without pairs.
        y: Targets (N, O).
        weight: (N,).
        family: The loss.
        fixed: Which of the design's λ stay.
    """

    columns: Sequence[Column]
    data: Sequence[Objects]
    design: Design
    y: Matrix
    weight: Vector
    family: Family
    fixed: Flags | None

    def take(self, index: Indices) -> Problem:
        """Return some rows."""
        return Problem(
            self.columns, [values[index] for values in self.data], self.design.take(index),
            self.y[index], self.weight[index], self.family, self.fixed,
        )  # fmt: skip

    def residuals(self, design: Design, found: pirls.Fit) -> screening.Residuals:
        """Return what a fit of a design of these rows leaves over."""
        eta, dispersion = found.predictor(design), found.dispersion
        return screening.residuals(self.family, eta, self.y, self.weight, dispersion)


def reduce(design: Design, found: pirls.Fit) -> tuple[Design, list[Indices]]:
    """Leave out the coefficients that a fit says are negligible, in every output."""
    penalties = Penalties(design.penalties, design.size)
    matters = np.zeros(design.size, bool)
    for solution, quadratic in zip(found.solutions, found.quadratics, strict=True):
        d = penalties.diagonal(solution.weights)
        matters |= d < NEGLIGIBLE * np.diag(quadratic.a)
    bases, kept = [], []
    for number, basis in enumerate(design.bases):
        first = design.bounds[number]
        stays = matters[first : first + basis.size]
        for penalty in basis.penalties:  # each keeps one, so that all fits have the same λ
            stays[penalty.index[np.argmin(penalty.scale)]] = True
        new = np.cumsum(stays) - 1
        bases.append(
            Basis(
                basis.matrix[:, stays],
                tuple(
                    Penalty(p.kind, new[p.index[stays[p.index]]], p.scale[stays[p.index]])
                    for p in basis.penalties
                ),
                basis.share,
                None if basis.inequalities is None else basis.inequalities[:, stays],
            )
        )
        kept.append(first + np.flatnonzero(stays))
    return Design(design.rows, bases), kept


def tensor(problem: Problem, pair: Pair) -> Tensor | None:
    """Return the basis of a pair, or None if it would be too large or empty, or break a shape."""
    if any(has_shape(problem.columns[number]) for number in pair):
        return None
    samples = len(problem.weight)
    count = next((knots for below, knots in KNOTS if samples < below), screening.BINS)
    slots = [problem.columns[number].slots - 1 for number in pair]
    most = [FEW if partner <= FEW_VALUES else count for partner in reversed(slots)]
    found = _tensor(problem, pair, most)
    return found if 0 < found.size <= MOST_COEFFICIENTS else None


def refine(problem: Problem, coarse: Tensor) -> Tensor | None:
    """Return the basis of a pair with twice as many knots, or None if it would be no larger.

    There are no more than the columns' own curves have, and than there are rows for.
    """
    wanted = [len(c.positions) * (1 + isinstance(c, Numeric)) for c in coarse.columns]
    room = len(problem.weight) / ROWS_PER_COEFFICIENT
    share = min(1.0, np.sqrt(room / np.prod(wanted)))
    found = _tensor(problem, coarse.pair, [int(share * count) for count in wanted])
    return found if found.size > coarse.size else None


def _tensor(problem: Problem, pair: Pair, most: Sequence[int]) -> Tensor:
    """Return the basis of a pair whose sides have at most so many knots, or all labels."""
    sides, scales, columns = [], [], []
    for number, count in zip(pair, most, strict=True):
        column, values = problem.columns[number], problem.data[number]
        if isinstance(column, Numeric) and len(column.knots) > count:
            column = table.describe(column.name, values, problem.weight, count, False)
        matrix, scale = margins(column, LazyRows(column, values), problem.weight)
        columns.append(column)
        sides.append(matrix)
        scales.append(scale)
    sizes = [side.shape[1] for side in sides]
    curvatures = (
        np.repeat(scales[0], sizes[1]),
        np.tile(scales[1], sizes[0]),
        np.ones(sizes[0] * sizes[1]),
    )
    penalties = tuple(
        Penalty("pair", np.flatnonzero(scale), scale[scale > 0])
        for scale in curvatures
        if scale.any()
    )
    return Tensor(pair, (columns[0], columns[1]), (sides[0], sides[1]), penalties)
