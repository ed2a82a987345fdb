"""Pairs of columns that act together: found on residuals, kept only if held-out rows agree.

A pair term is a product of two small linear splines, bilinear between its knots. Its basis holds
products of the columns' centred bases, so it has next to nothing of their own curves, and three
learned weights: of the curvature along each column, S₁⊗I and I⊗S₂, and of its size. Every fold
fits the additive model, then up to eight pairs, then up to eight more, and judges all three on the
rows that it left out. Pairs that do not pay there are left out altogether; else the folds' models
are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from . import pirls, table
from .arrays import Flags, Indices, Matrix, Objects, Vector
from .basis import Basis, Penalty, margins
from .design import Design, Tensor
from .families import Family, Logistic, Softmax
from .reml import Penalties
from .terms import Column, Numeric

Pair = tuple[int, int]

ROUNDS, MOST_PER_ROUND = 2, 8
BINS = 6
"""Of a column, at most, when pairs are looked for."""
SHRINKAGE = 5.0
"""Rows that are added to a cell of no effect."""
NOTABLE = 3.0
"""Standard deviations by which a pair's sum of squares must stand out."""
KNOTS = ((500, 4), (2000, 5))
"""Knots of a side of a pair below that many samples; `BINS` above."""
FEW_VALUES = 3
"""A column of so few values leaves its partner all its knots."""
MOST_COEFFICIENTS = 96
"""Of a pair; one with more is left out, as of two categories with many labels."""
LEAST_SAMPLES = 100
"""With fewer, no held-out rows could tell."""
MOST_SAMPLES = 20_000
"""With more, as many decide, and one fit of all follows."""
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

    def taken(self, index: Indices) -> Problem:
        """Return some rows."""
        return Problem(
            self.columns, [values[index] for values in self.data], self.design.taken(index),
            self.y[index], self.weight[index], self.family, self.fixed,
        )  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """The outcome.

    Attributes:
        designs: With the pairs of every fit.
        fits: To be averaged; none if pairs do not pay.
    """

    designs: list[Design]
    fits: list[pirls.Fit]


def reduced(design: Design, found: pirls.Fit) -> tuple[Design, list[Indices]]:
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
            )
        )
        kept.append(first + np.flatnonzero(stays))
    return Design(design.rows, bases), kept


def tensor(problem: Problem, pair: Pair) -> Tensor | None:
    """Return the basis of a pair, or None if it would be too large or empty."""
    samples = len(problem.weight)
    count = next((knots for below, knots in KNOTS if samples < below), BINS)
    sides, scales, columns = [], [], []
    for number, partner in (pair, pair[::-1]):
        column, values = problem.columns[number], problem.data[number]
        if isinstance(column, Numeric) and problem.columns[partner].slots - 1 > FEW_VALUES:
            column = table.describe(column.name, values, problem.weight, count, False)
        matrix, scale = margins(column, column.locate(values), problem.weight)
        columns.append(column)
        sides.append(matrix)
        scales.append(scale)
    sizes = [side.shape[1] for side in sides]
    if not 0 < sizes[0] * sizes[1] <= MOST_COEFFICIENTS:
        return None
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


def bins(problem: Problem) -> list[Indices]:
    """Return the bin of every row in each column, -1 for a missing value: at most `BINS`."""
    found = []
    for column, values in zip(problem.columns, problem.data, strict=True):
        if isinstance(column, Numeric):
            x = np.asarray(values, np.float64)
            there = np.isfinite(x)
            known = x[there] if there.any() else np.zeros(1)
            cuts = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
            code = np.where(there, np.searchsorted(cuts, x, "left"), -1)
        else:
            rows = column.locate(values)
            counts = np.bincount(rows.slot, minlength=len(column.labels))
            place = np.empty(len(counts), np.intp)
            place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
            code = place[rows.slot].clip(max=BINS - 1)
        found.append(code.astype(np.intp))
    return found


def screen(
    codes: Sequence[Indices], residual: Matrix, information: Matrix, dispersion: Vector
) -> list[tuple[float, Pair]]:
    """Rank all pairs by how much the cells of their bins stand out, best first.

    With S the sum of residuals in a cell and N its information, Σ (S² - φ N)/(N + κ) over the cells
    has mean zero without an effect, and variance 2 Σ (φ N/(N + κ))².

    Args:
        codes: Bins of each column (N,), -1 for none.
        residual: Derivative of the log-likelihood by η, (N, O).
        information: Its variance in units of φ, (N, O).
        dispersion: φ, (O,).
    """
    sizes = [int(code.max(initial=0)) + 1 for code in codes]
    bounds = np.cumsum([0, *sizes])
    hot = np.zeros((len(residual), bounds[-1]))
    for code, start in zip(codes, bounds, strict=False):
        rows = np.flatnonzero(code >= 0)
        hot[rows, start + code[rows]] = 1.0
    gain = np.zeros((len(codes), len(codes)))
    for r, n, phi in zip(residual.T, information.T, dispersion, strict=True):
        sums, counts = hot.T @ (r[:, None] * hot), hot.T @ (n[:, None] * hot)
        shrunk = counts + SHRINKAGE * n.mean() + np.finfo(np.float64).tiny
        excess = _blocks((sums**2 - phi * counts) / shrunk, bounds)
        spread = _blocks(2 * (phi * counts / shrunk) ** 2, bounds)
        gain += excess / np.sqrt(np.maximum(spread, np.finfo(np.float64).tiny))
    gain /= np.sqrt(len(dispersion))
    first, second = np.triu_indices(len(codes), 1)
    order = np.argsort(-gain[first, second], kind="stable")
    return [(float(gain[first[k], second[k]]), (int(first[k]), int(second[k]))) for k in order]


def _blocks(values: Matrix, bounds: Indices) -> Matrix:
    rows = np.add.reduceat(values, bounds[:-1], axis=0)
    total: Matrix = np.add.reduceat(rows, bounds[:-1], axis=1)
    return total


class _Fold:
    """The fits of one fold: additive, and after every round of pairs."""

    def __init__(self, whole: Problem, train: Indices, held: Indices, start: pirls.Fit) -> None:
        self.whole, self.held = whole, whole.taken(held)
        self.train = whole.taken(train)
        self.codes = bins(self.train)
        self.pairs: list[Pair] = []
        self.designs = [self.train.design]
        self.fits = [self._fit(self.train.design, start.weights, start)]
        self.losses = [self._loss(self.held.design, self.fits[0])]
        self._held = self.held.design

    def extend(self, tensors: dict[Pair, Tensor | None]) -> None:
        """Look for pairs in the residuals of the last fit, and fit with them."""
        new = self._found(tensors)
        if not new:
            self.designs.append(self.designs[-1])
            self.fits.append(self.fits[-1])
            self.losses.append(self.losses[-1])
            return
        last, fit = self.designs[-1], self.fits[-1]
        design = last.extended(new, [t.locate(self.train.data) for t in new])
        self._held = self._held.extended(new, [t.locate(self.held.data) for t in new])
        unknown = np.full(len(design.penalties) - len(last.penalties), np.nan)
        weights = np.r_[fit.weights, unknown]
        self.designs.append(design)
        self.fits.append(self._fit(design, weights, fit))
        self.losses.append(self._loss(self._held, self.fits[-1]))

    def _found(self, tensors: dict[Pair, Tensor | None]) -> list[Tensor]:
        fit, problem = self.fits[-1], self.train
        steps = [problem.family.step(fit.eta, problem.y, o) for o in range(problem.y.shape[1])]
        weight = problem.weight[:, None]
        information = weight * np.stack([w for w, _ in steps], 1)
        residual = information * (np.stack([z for _, z in steps], 1) - fit.eta)
        dispersion = np.concatenate([s.dispersion for s in fit.solutions])
        ranked = screen(self.codes, residual, information, dispersion)
        new: list[Tensor] = []
        for gain, pair in ranked:
            if gain < NOTABLE or len(new) == MOST_PER_ROUND:
                break
            if pair in self.pairs:
                continue
            if pair not in tensors:
                tensors[pair] = tensor(self.whole, pair)
            basis = tensors[pair]
            if basis is not None:
                self.pairs.append(pair)
                new.append(basis)
        return new

    def _fit(self, design: Design, weights: Vector, start: pirls.Fit) -> pirls.Fit:
        p, fixed = self.train, self.train.fixed
        if fixed is not None:
            fixed = np.r_[fixed, np.zeros(len(design.penalties) - len(fixed), bool)]
        return pirls.fit(design, p.y, p.weight, p.family, weights, fixed, start)

    def _loss(self, design: Design, fit: pirls.Fit) -> Vector:
        eta = fit.intercept + design.times(fit.coefficients)
        return self.held.weight * self.held.family.deviance(eta, self.held.y)


def choose(problem: Problem, found: pirls.Fit, folds: int, seed: int) -> Chosen:
    """Decide by held-out rows between no pairs and those of one or two rounds.

    Pairs must lower the deviance of held-out rows.

    Args:
        problem: All rows.
        found: The additive fit of its design, to start from.
        folds: Number of folds, and of fits in the average.
        seed: Of the folds.
    """
    rng = np.random.RandomState(seed)
    rows = np.arange(len(problem.weight))
    if len(rows) > MOST_SAMPLES:
        rows = np.sort(rng.choice(len(rows), MOST_SAMPLES, replace=False))
    some = problem if len(rows) == len(problem.weight) else problem.taken(rows)
    tensors: dict[Pair, Tensor | None] = {}
    each = []
    for train, held in _splits(some, folds, rng):
        fold = _Fold(some, train, held, found)
        for _ in range(ROUNDS):
            fold.extend(tensors)
        each.append(fold)
    losses = [np.concatenate([fold.losses[k] for fold in each]) for k in range(ROUNDS + 1)]
    best = min(range(1, ROUNDS + 1), key=lambda k: losses[k].sum())
    gain = losses[0] - losses[best]
    if gain.sum() <= 0:
        return Chosen([], [])
    if some is problem:
        return Chosen([fold.designs[best] for fold in each], [fold.fits[best] for fold in each])
    return _fitted_to_all(problem, found, _voted(each, best), tensors)


def _splits(
    problem: Problem, folds: int, rng: np.random.RandomState
) -> list[tuple[Indices, Indices]]:
    kind: type[KFold] | type[StratifiedKFold] = KFold
    labels = np.zeros(len(problem.y))
    if isinstance(problem.family, Logistic | Softmax):
        labels = problem.y[:, 0] if problem.y.shape[1] == 1 else problem.y.argmax(1)
        if np.unique(labels, return_counts=True)[1].min() >= folds:
            kind = StratifiedKFold
    splitter = kind(folds, shuffle=True, random_state=rng)
    return list(splitter.split(np.zeros(len(labels)), labels))


def _voted(each: Sequence[_Fold], rounds: int) -> list[Pair]:
    """Return the pairs that at least half of the folds have found."""
    votes: dict[Pair, int] = {}
    for fold in each:
        for t in fold.designs[rounds].tensors:
            votes[t.pair] = votes.get(t.pair, 0) + 1
    ranked = sorted(votes, key=lambda pair: (-votes[pair], pair))
    return [pair for pair in ranked if 2 * votes[pair] >= len(each)]


def _fitted_to_all(
    problem: Problem,
    found: pirls.Fit,
    pairs: Sequence[Pair],
    tensors: dict[Pair, Tensor | None],
) -> Chosen:
    return given(problem, found, [t for pair in pairs if (t := tensors[pair]) is not None])


def given(problem: Problem, found: pirls.Fit, chosen: Sequence[Tensor]) -> Chosen:
    """Fit given pairs to all rows."""
    if not chosen:
        return Chosen([], [])
    design = problem.design.extended(chosen, [t.locate(problem.data) for t in chosen])
    more = len(design.penalties) - len(problem.design.penalties)
    weights = np.r_[found.weights, np.full(more, np.nan)]
    fixed = None if problem.fixed is None else np.r_[problem.fixed, np.zeros(more, bool)]
    fit = pirls.fit(design, problem.y, problem.weight, problem.family, weights, fixed, found)
    return Chosen([design], [fit])
