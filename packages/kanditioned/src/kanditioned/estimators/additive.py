"""From a table and targets to an additive model whose smoothing is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from . import interactions, pairs, pirls, shapes, table, values
from .arrays import Flags, Matrix, Objects, Vector
from .basis import build
from .batches import LeastSquares
from .design import Design, Tensor
from .families import Family, Squared
from .interactions import Chosen
from .knots import default_count
from .posterior import Posterior
from .reml import LEAST
from .terms import Additive, Column, Numeric, Place, Surface, Term, interpolate

NO_EFFECT = 0.05
"""Effective degrees of freedom below which a pair is left out: it is shrunk to nothing."""
FIXED_KINDS = ("slope", "curvature")
"""Penalties that a given smoothing fixes; those of levels and missing values are always learned."""


@dataclass(frozen=True)
class Settings:
    """What the user decides.

    Attributes:
        num_control_points: Most knots of a column; None chooses by the number of samples.
        smoothing: λ of every curve, in the objective mean loss + λ ‖D c‖²; None learns it.
        categorical: Numbers of the columns that hold labels.
        pairs: Pairs of columns with a term of their own; None looks for them.
        folds: That decide about pairs.
        seed: Of the folds.
        monotone: 1 or -1 for numbers of columns whose curve must rise or fall.
        convex: 1 or -1 for those whose curve must be convex or concave.
        verbose: Whether passes over a large table show progress bars.
    """

    num_control_points: int | None = None
    smoothing: float | None = None
    categorical: frozenset[int] = frozenset()
    pairs: tuple[tuple[int, int], ...] | None = ()
    folds: int = 4
    seed: int = 0
    monotone: Mapping[int, int] = field(default_factory=dict)
    convex: Mapping[int, int] = field(default_factory=dict)
    verbose: bool = False


@dataclass(frozen=True)
class Fitted:
    """A model, how sure it is, and what was learned about its terms.

    Attributes:
        model: What predicts.
        posteriors: Covariances of the coefficients of every fit that it is the average of. Their
            mean is an upper bound for the average, reached where the fits err alike.
        edf: Effective degrees of freedom of each term and surface, summed over outputs.
        smoothing: λ of each curve, in the objective mean loss + λ ‖D c‖²; NaN without one.
        steps: Of the search.
        importance: Standard deviation of each term and surface over the rows, the root of the mean
            square over outputs.
    """

    model: Additive
    posteriors: tuple[Posterior, ...]
    edf: Vector
    smoothing: Vector
    steps: int
    importance: Vector

    @property
    def shares(self) -> list[Vector]:
        """Weight of the training rows in the slots of every column."""
        return [basis.share for basis in self.posteriors[0].bases]


def describe(
    names: Sequence[str], columns: Sequence[Objects], weight: Vector, settings: Settings
) -> list[Column]:
    """Return the knots or labels of every column."""
    count = settings.num_control_points or default_count(round(weight.sum()), len(columns))
    if table.is_large(columns):
        title = "knots" if settings.verbose else None
        found = table.sketch(names, columns, weight, count, settings.categorical, title)
    else:
        found = [
            table.describe(name, values, weight, count, number in settings.categorical)
            for number, (name, values) in enumerate(zip(names, columns, strict=True))
        ]
    monotone, convex = settings.monotone, settings.convex
    return [
        replace(column, monotone=monotone.get(i, 0), convex=convex.get(i, 0))
        if isinstance(column, Numeric)
        else column
        for i, column in enumerate(found)
    ]


def places(columns: Sequence[Column], data: Sequence[Objects]) -> list[Place]:
    """Return where the rows fall in every column."""
    return [table.locate(data, n, column, clamped=False) for n, column in enumerate(columns)]


def prepare(columns: Sequence[Column], data: Sequence[Objects], weight: Vector) -> Design:
    """Return the design of training rows."""
    rows = places(columns, data)
    bases = [build(c, each, weight) for c, each in zip(columns, rows, strict=True)]
    return Design(rows, bases)


def initial_weights(
    design: Design, total: float, family: Family, settings: Settings
) -> tuple[Vector | None, Flags | None]:
    """Return the λ to begin with and which of them stay, if smoothing is given."""
    if settings.smoothing is None:
        return None, None
    factor = total if family.dispersion is None else 2 * total
    values = {"curvature": factor * settings.smoothing, "slope": 0.0}
    least = LEAST * total
    each = np.array([max(values.get(p.kind, total), least) for p in design.penalties])
    fixed = np.array([p.kind in FIXED_KINDS for p in design.penalties], bool)
    return each, fixed


def fit(
    columns: Sequence[Column],
    data: Sequence[Objects],
    y: Matrix,
    weight: Vector,
    family: Family,
    settings: Settings,
) -> Fitted:
    """Fit the terms of all columns, and of pairs of them, to targets (N, O)."""
    total = float(weight.sum())
    sums = None
    if table.is_large(data) and isinstance(family, Squared):
        sums = LeastSquares(columns, y.shape[1])
        sums.add(data, y, weight, "sums" if settings.verbose else None)
        design = Design(places(columns, data), sums.bases())
    else:
        design = prepare(columns, data, weight)
    weights, fixed = initial_weights(design, total, family, settings)
    problem = pairs.Problem(columns, data, design, y, weight, family, fixed)
    if sums is not None:
        found = sums.solve(design, weights, fixed)
    else:
        found = pirls.fit(design, y, weight, family, weights, fixed)
        is_free = settings.num_control_points is None and settings.smoothing is None
        finer = values.refine(problem, found) if is_free and not table.is_large(data) else []
        if finer:
            columns, design = finer, prepare(finer, data, weight)
            problem = replace(problem, columns=columns, design=design)
            found = pirls.fit(design, y, weight, family)
    chosen = _pairs(problem, settings, found)
    designs, fits = (chosen.designs, chosen.fits) if chosen.fits else ([design], [found])
    fitted = _finish(columns, designs, fits, total, family, settings)
    if sums is not None and not fitted.model.surfaces:
        return replace(fitted, importance=sums.importance(fitted.model.terms))
    return replace(fitted, importance=_importance(fitted.model, design.rows, data, weight))


def solve(sums: LeastSquares, settings: Settings) -> Fitted:
    """Fit the terms of all columns to the sums of batches."""
    design = Design([], sums.bases())
    weights, fixed = initial_weights(design, sums.weight, Squared(), settings)
    found = sums.solve(design, weights, fixed)
    fitted = _finish(sums.columns, [design], [found], sums.weight, Squared(), settings)
    return replace(fitted, importance=sums.importance(fitted.model.terms))


def _pairs(problem: pairs.Problem, settings: Settings, found: pirls.Fit) -> Chosen:
    """Fit pair terms where they are wanted and can be judged."""
    wanted = settings.pairs
    is_judged = wanted is None and problem.weight.sum() >= interactions.LEAST_SAMPLES
    if len(problem.columns) < 2 or not (wanted or is_judged):
        return Chosen([], [])
    small, kept = pairs.reduce(problem.design, found)
    start = replace(found, coefficients=found.coefficients[np.concatenate(kept)])
    problem = replace(problem, design=small)
    if wanted is None:
        return interactions.choose(problem, start, settings.folds, settings.seed)
    tensors = [pairs.tensor(problem, pair) for pair in wanted]
    return interactions.fit_given(problem, start, [t for t in tensors if t is not None])


def _finish(
    columns: Sequence[Column],
    designs: Sequence[Design],
    fits: Sequence[pirls.Fit],
    total: float,
    family: Family,
    settings: Settings,
) -> Fitted:
    """Turn coefficients into functions, and average over the fits."""
    share, single, is_given = 1 / len(fits), len(columns), settings.smoothing is not None
    outputs = len(fits[0].intercept)
    effects = [np.zeros((column.slots, outputs)) for column in columns]
    edf = [0.0] * single
    surfaces: dict[tuple[int, int], Matrix] = {}
    knots: dict[tuple[int, int], tuple[Column, Column]] = {}
    edf_of_pairs: dict[tuple[int, int], float] = {}
    posteriors = []
    for design, found in zip(designs, fits, strict=True):
        each = np.sum([s.edf * len(s.dispersion) for s in found.solutions], axis=0)
        blocks = [slice(a, b) for a, b in pairwise(design.bounds)]
        for number, (basis, block) in enumerate(zip(design.bases, blocks, strict=False)):
            effects[number] += share * (basis.matrix @ found.coefficients[block])
            edf[number] += share * float(each[block].sum())
        for t, block in zip(design.tensors, blocks[single:], strict=True):
            grid = share * _surface(t, found.coefficients[block])
            surfaces[t.pair] = surfaces.get(t.pair, 0.0) + grid
            knots[t.pair] = t.columns
            edf_of_pairs[t.pair] = edf_of_pairs.get(t.pair, 0.0) + share * float(each[block].sum())
        learned = np.array(
            [not (is_given and p.kind in FIXED_KINDS) for p in design.penalties], bool
        )
        quadratics = found.posterior_quadratics()
        posteriors.append(Posterior.of(columns, design, found.solutions, quadratics, learned))
    terms = tuple(shapes.exact(Term(*pair)) for pair in zip(columns, effects, strict=True))
    order = sorted(pair for pair in surfaces if edf_of_pairs[pair] > NO_EFFECT)
    intercept = share * np.sum([found.intercept for found in fits], axis=0)
    factor = total if family.dispersion is None else 2 * total
    return Fitted(
        Additive(
            intercept, terms, tuple(Surface.of(pair, knots[pair], surfaces[pair]) for pair in order)
        ),
        tuple(posteriors),
        np.array([*edf, *(edf_of_pairs[pair] for pair in order)]),
        _smoothing(designs, fits, single) / factor,
        max(found.steps for found in fits),
        np.zeros(0),
    )


def _importance(
    model: Additive, rows: Sequence[Place], data: Sequence[Objects], weight: Vector
) -> Vector:
    """Add up squares: terms have the mean zero, or nearly so."""
    total = weight.sum()
    means = np.zeros((len(rows) + len(model.surfaces), len(model.intercept)))
    squares = np.zeros_like(means)
    for index in table.parts(len(weight)):
        parts = [
            interpolate(term.effects, place.take(index))
            for term, place in zip(model.terms, rows, strict=True)
        ]
        parts += [s(*(data[number][index] for number in s.pair)) for s in model.surfaces]
        for number, part in enumerate(parts):
            means[number] += weight[index] @ part / total
            squares[number] += weight[index] @ part**2 / total
    variance: Vector = np.maximum(squares - means**2, 0.0).mean(1)
    return np.sqrt(variance)


def _surface(tensor: Tensor, beta: Matrix) -> Matrix:
    """Return the values (slots, slots, O) of a pair's coefficients."""
    first, second = tensor.sides
    grid = beta.reshape(first.shape[1], second.shape[1], -1)
    values: Matrix = np.einsum("ap,bq,pqo->abo", first, second, grid)
    return values


def _smoothing(designs: Sequence[Design], fits: Sequence[pirls.Fit], columns: int) -> Vector:
    """Return the curves' λ, the geometric mean over fits."""
    total = np.full(columns, np.nan)
    for design, found in zip(designs, fits, strict=True):
        for penalty, value in zip(design.penalties, np.log(found.weights), strict=True):
            if penalty.kind == "curvature":
                number = np.searchsorted(design.bounds, penalty.index[0], "right") - 1
                total[number] = np.nansum([total[number], value / len(fits)])
    smoothing: Vector = np.exp(total)
    return smoothing
