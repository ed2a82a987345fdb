"""Pairs of columns that act together: found on residuals, kept only if held-out rows agree.

Every fold fits the additive model, then up to eight pairs, then up to eight more, and judges all
three on the rows that it left out. Pairs that do not pay there are left out altogether. Those that
use much of their basis get finer knots as long as that pays too. The folds' models are averaged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from . import pirls, screening
from .arrays import Indices, Vector
from .design import Design, Tensor
from .families import Logistic, Softmax
from .pairs import Pair, Problem, refine, tensor

ROUNDS, MOST_PER_ROUND = 2, 8
REFINEMENTS = 2
MUCH = 0.4
"""A pair whose effective degrees of freedom are more than this share of its coefficients gets finer
knots."""
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


class _Stage(NamedTuple):
    """A fit of a fold.

    Attributes:
        design: Of the training rows.
        held: Of the rows that are left out.
        fit: To the training rows.
        loss: Deviance of the rows that are left out, (N,).
    """

    design: Design
    held: Design
    fit: pirls.Fit
    loss: Vector


class _Fold:
    """The fits of one fold: additive, and after every stage of pairs."""

    def __init__(self, whole: Problem, train: Indices, held: Indices, start: pirls.Fit) -> None:
        self.whole, self.train, self.held = whole, whole.take(train), whole.take(held)
        self.codes = screening.bins(self.train.columns, self.train.data)
        self.pairs: list[Pair] = []
        self.stages: list[_Stage] = []
        self._fit(self.train.design, self.held.design, start.weights, start)

    def extend(self, tensors: dict[Pair, Tensor | None]) -> None:
        """Look for pairs in the residuals of the last fit, and fit with them."""
        self._replace(self.stages[-1], self._find(tensors))

    def refine(self, stage: int, finer: Mapping[Pair, Tensor]) -> None:
        """Fit a stage again with finer knots for some of its pairs."""
        known = self.stages[stage]
        self._replace(known, [finer[t.pair] for t in known.design.tensors if t.pair in finer])

    def _replace(self, stage: _Stage, new: Sequence[Tensor]) -> None:
        """Fit with more pairs, or with other bases of the same."""
        if not new:
            self.stages.append(stage)
            return
        replaced = {t.pair for t in new}
        base, coefficients, penalties = stage.design.without(replaced)
        held, *_ = stage.held.without(replaced)
        design = base.extend(new, [t.locate(self.train.data) for t in new])
        held = held.extend(new, [t.locate(self.held.data) for t in new])
        start = replace(stage.fit, coefficients=stage.fit.coefficients[coefficients])
        self._fit(design, held, stage.fit.weights[penalties], start)

    def _find(self, tensors: dict[Pair, Tensor | None]) -> list[Tensor]:
        last = self.stages[-1]
        residuals = self.train.residuals(last.design, last.fit)
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

    def _fit(self, design: Design, held: Design, weights: Vector, start: pirls.Fit) -> None:
        fit = _fit(self.train, design, weights, start)
        deviance = self.held.family.deviance(fit.predictor(held), self.held.y)
        self.stages.append(_Stage(design, held, fit, self.held.weight * deviance))


def choose(problem: Problem, found: pirls.Fit, folds: int, seed: int) -> Chosen:
    """Decide by held-out rows between no pairs and those of one or two rounds, or finer ones.

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
    each = [_Fold(some, train, held, found) for train, held in _splits(some, folds, rng)]
    for _ in range(ROUNDS):
        for fold in each:
            fold.extend(tensors)
    best = _best(each)
    for _ in range(REFINEMENTS):
        finer = _finer(some, [(fold.stages[best].design, fold.stages[best].fit) for fold in each])
        if not finer:
            break
        for fold in each:
            fold.refine(best, finer)
        last, best = best, _best(each)
        if last == best:
            break
    stages = [fold.stages[best] for fold in each]
    if best == 0:
        return Chosen([], [])
    if some is problem:
        return Chosen([stage.design for stage in stages], [stage.fit for stage in stages])
    agreed = _vote(stages)
    if not agreed:
        return Chosen([], [])
    design, fit = _fit_all(problem, found, agreed)
    return Chosen([design], [fit])


def _best(each: Sequence[_Fold]) -> int:
    """Return the stage of the lowest deviance of held-out rows."""
    stages = zip(*(fold.stages for fold in each), strict=True)
    return int(np.argmin([sum(stage.loss.sum() for stage in same) for same in stages]))


def _finer(problem: Problem, fits: Sequence[tuple[Design, pirls.Fit]]) -> dict[Pair, Tensor]:
    """Return finer bases of the pairs that use much of theirs, on average over the fits."""
    found: dict[Pair, list[float]] = {}
    bases: dict[Pair, Tensor] = {}
    for design, fit in fits:
        edf = np.mean([solution.edf for solution in fit.solutions], axis=0)
        bounds = pairwise(design.bounds[len(design.bases) :])
        for basis, (first, last) in zip(design.tensors, bounds, strict=True):
            found.setdefault(basis.pair, []).append(float(edf[first:last].sum()))
            bases[basis.pair] = basis
    busy = [basis for pair, basis in bases.items() if np.mean(found[pair]) > MUCH * basis.size]
    finer = (refine(problem, basis) for basis in busy)
    return {basis.pair: basis for basis in finer if basis is not None}


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


def _vote(stages: Sequence[_Stage]) -> list[Tensor]:
    """Return the pairs that at least half of the folds have found."""
    bases = [basis for stage in stages for basis in stage.design.tensors]
    votes = Counter(basis.pair for basis in bases)
    known = {basis.pair: basis for basis in bases}
    ranked = sorted(votes, key=lambda pair: (-votes[pair], pair))
    return [known[pair] for pair in ranked if 2 * votes[pair] >= len(stages)]


def fit_given(problem: Problem, found: pirls.Fit, chosen: Sequence[Tensor]) -> Chosen:
    """Fit given pairs to all rows, and again where some use much of their basis."""
    if not chosen:
        return Chosen([], [])
    design, fit = _fit_all(problem, found, chosen)
    for _ in range(REFINEMENTS):
        finer = _finer(problem, [(design, fit)])
        if not finer:
            break
        chosen = [finer.get(basis.pair, basis) for basis in chosen]
        design, fit = _fit_all(problem, found, chosen)
    return Chosen([design], [fit])


def _fit_all(
    problem: Problem, found: pirls.Fit, chosen: Sequence[Tensor]
) -> tuple[Design, pirls.Fit]:
    """Fit pairs to all rows, starting from the fit without them."""
    design = problem.design.extend(chosen, [t.locate(problem.data) for t in chosen])
    return design, _fit(problem, design, found.weights, found)


def _fit(problem: Problem, design: Design, weights: Vector, start: pirls.Fit) -> pirls.Fit:
    """Fit a design whose first penalties have weights to begin with; all others are free."""
    count, p, fixed = len(design.penalties), problem, problem.fixed
    weights = np.r_[weights, np.full(count - len(weights), np.nan)]
    if fixed is not None:
        fixed = np.r_[fixed, np.zeros(count - len(fixed), bool)]
    return pirls.fit(design, p.y, p.weight, p.family, weights, fixed, start)
