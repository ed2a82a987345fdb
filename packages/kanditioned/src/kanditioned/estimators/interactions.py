"""Pairs of columns that act together: found on residuals, kept only if held-out rows agree.

Every fold fits the additive model, then up to eight pairs, then up to eight more, and judges all
three on the rows that it left out. Pairs that do not pay there are left out altogether; else the
folds' models are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from . import pirls, screening
from .arrays import Indices, Vector
from .design import Design, Tensor
from .families import Logistic, Softmax
from .pairs import Pair, Problem, tensor

ROUNDS, MOST_PER_ROUND = 2, 8
LEAST_SAMPLES = 100
"""With fewer, no held-out rows could tell."""
MOST_SAMPLES = 20_000
"""With more, as many decide, and one fit of all follows."""


@dataclass(frozen=True)
class Chosen:
    """The outcome.

    Attributes:
        designs: With the pairs of every fit.
        fits: To be averaged; none if pairs do not pay.
    """

    designs: list[Design]
    fits: list[pirls.Fit]


class _Fold:
    """The fits of one fold: additive, and after every round of pairs."""

    def __init__(self, whole: Problem, train: Indices, held: Indices, start: pirls.Fit) -> None:
        self.whole, self.held = whole, whole.take(held)
        self.train = whole.take(train)
        self.codes = screening.bins(self.train.columns, self.train.data)
        self.pairs: list[Pair] = []
        self.designs = [self.train.design]
        self.fits = [self._fit(self.train.design, start.weights, start)]
        self.losses = [self._loss(self.held.design, self.fits[0])]
        self._held = self.held.design

    def extend(self, tensors: dict[Pair, Tensor | None]) -> None:
        """Look for pairs in the residuals of the last fit, and fit with them."""
        new = self._find(tensors)
        if not new:
            self.designs.append(self.designs[-1])
            self.fits.append(self.fits[-1])
            self.losses.append(self.losses[-1])
            return
        last, fit = self.designs[-1], self.fits[-1]
        design = last.extend(new, [t.locate(self.train.data) for t in new])
        self._held = self._held.extend(new, [t.locate(self.held.data) for t in new])
        unknown = np.full(len(design.penalties) - len(last.penalties), np.nan)
        weights = np.r_[fit.weights, unknown]
        self.designs.append(design)
        self.fits.append(self._fit(design, weights, fit))
        self.losses.append(self._loss(self._held, self.fits[-1]))

    def _find(self, tensors: dict[Pair, Tensor | None]) -> list[Tensor]:
        residuals = self.train.residuals(self.designs[-1], self.fits[-1])
        ranked = screening.screen(self.codes, residuals)
        new: list[Tensor] = []
        for gain, pair in ranked:
            if gain < screening.NOTABLE or len(new) == MOST_PER_ROUND:
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
        return self.held.weight * self.held.family.deviance(fit.predictor(design), self.held.y)


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
    some = problem if len(rows) == len(problem.weight) else problem.take(rows)
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
    agreed = [t for pair in _vote(each, best) if (t := tensors[pair]) is not None]
    return fit_given(problem, found, agreed)


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


def _vote(each: Sequence[_Fold], rounds: int) -> list[Pair]:
    """Return the pairs that at least half of the folds have found."""
    votes: dict[Pair, int] = {}
    for fold in each:
        for t in fold.designs[rounds].tensors:
            votes[t.pair] = votes.get(t.pair, 0) + 1
    ranked = sorted(votes, key=lambda pair: (-votes[pair], pair))
    return [pair for pair in ranked if 2 * votes[pair] >= len(each)]


def fit_given(problem: Problem, found: pirls.Fit, chosen: Sequence[Tensor]) -> Chosen:
    """Fit given pairs to all rows."""
    if not chosen:
        return Chosen([], [])
    design = problem.design.extend(chosen, [t.locate(problem.data) for t in chosen])
    more = len(design.penalties) - len(problem.design.penalties)
    weights = np.r_[found.weights, np.full(more, np.nan)]
    fixed = None if problem.fixed is None else np.r_[problem.fixed, np.zeros(more, bool)]
    fit = pirls.fit(design, problem.y, problem.weight, problem.family, weights, fixed, found)
    return Chosen([design], [fit])
