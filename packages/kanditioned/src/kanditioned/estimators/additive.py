"""From a table and targets to an additive model whose smoothing is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from . import pirls, table
from .arrays import Flags, Matrix, Objects, Vector
from .basis import Penalty, build
from .design import Design
from .families import Family
from .knots import default_count
from .posterior import Posterior
from .reml import LEAST, Penalties
from .terms import Additive, Column, Surface, Term

FIXED_KINDS = ("slope", "curvature")
"""Penalties that a given smoothing fixes; those of levels and missing values are always learned."""


@dataclass(frozen=True)
class Settings:
    """What the user decides.

    Attributes:
        num_control_points: Most knots of a column; None chooses by the number of samples.
        smoothing: λ of every curve, in the objective mean loss + λ ‖D c‖²; None learns it.
        categorical: Numbers of the columns that hold labels.
    """

    num_control_points: int | None = None
    smoothing: float | None = None
    categorical: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Fitted:
    """A model, how sure it is, and what was learned about its terms.

    Attributes:
        model: What predicts.
        posterior: Covariance of its coefficients.
        edf: Effective degrees of freedom of each term and surface, summed over outputs.
        smoothing: λ of each curve, in the objective mean loss + λ ‖D c‖²; NaN without one.
        steps: Of the search.
    """

    model: Additive
    posteriors: tuple[Posterior, ...]
    edf: Vector
    smoothing: Vector
    steps: int


def describe(
    names: Sequence[str], columns: Sequence[Objects], weight: Vector, settings: Settings
) -> list[Column]:
    """Return the knots or labels of every column."""
    count = settings.num_control_points or default_count(len(weight), len(columns))
    return [
        table.describe(name, values, weight, count, number in settings.categorical)
        for number, (name, values) in enumerate(zip(names, columns, strict=True))
    ]


def prepare(columns: Sequence[Column], data: Sequence[Objects], weight: Vector) -> Design:
    """Return the design of training rows."""
    rows = [column.locate(values) for column, values in zip(columns, data, strict=True)]
    bases = [build(c, each, weight) for c, each in zip(columns, rows, strict=True)]
    return Design(rows, bases)


def given_weights(
    design: Design, weight: Vector, family: Family, settings: Settings, outputs: int
) -> tuple[list[Vector] | None, Flags | None]:
    """Return the λ to begin with and which of them stay, if smoothing is given."""
    if settings.smoothing is None:
        return None, None
    total = float(weight.sum())
    factor = total if family.dispersion is None else 2 * total
    values = {"curvature": factor * settings.smoothing, "slope": 0.0}
    least = LEAST * total
    each = np.array([max(values.get(p.kind, total), least) for p in design.penalties])
    fixed = np.array([p.kind in FIXED_KINDS for p in design.penalties], bool)
    return [each] * outputs, fixed


def fit(
    columns: Sequence[Column],
    design: Design,
    y: Matrix,
    weight: Vector,
    family: Family,
    settings: Settings,
) -> Fitted:
    """Fit the terms of a design to targets (N, O)."""
    weights, fixed = given_weights(design, weight, family, settings, y.shape[1])
    found = pirls.fit(design, y, weight, family, weights, fixed)
    return finished(columns, design, found, float(weight.sum()), family)


def finished(
    columns: Sequence[Column], design: Design, found: pirls.Fit, total: float, family: Family
) -> Fitted:
    """Turn coefficients into functions."""
    bounds = design.bounds
    blocks = [found.coefficients[a:b] for a, b in pairwise(bounds)]
    single = len(columns)
    terms = tuple(
        Term(column, basis.matrix @ beta)
        for column, basis, beta in zip(columns, design.bases, blocks[:single], strict=True)
    )
    surfaces = tuple(
        Surface(
            t.pair,
            t.columns,
            np.einsum("ap,bq,pqo->abo", *t.sides, beta.reshape(*_sizes(t.sides), -1)),
        )
        for t, beta in zip(design.tensors, blocks[single:], strict=True)
    )
    edf = sum(
        np.add.reduceat(np.r_[s.edf, 0.0], bounds[:-1]) * (bounds[1:] > bounds[:-1])
        * len(s.dispersion)
        for s in found.solutions
    )  # fmt: skip
    penalties = Penalties(design.penalties, design.size)
    diagonals = [penalties.diagonal(s.weights) for s in found.solutions]
    posterior = Posterior.of(columns, design, found.solutions, found.quadratics, diagonals)
    factor = total if family.dispersion is None else 2 * total
    smoothing = _smoothing(design.penalties, bounds, single, found) / factor
    model = Additive(found.intercept, terms, surfaces)
    return Fitted(model, (posterior,), np.asarray(edf), smoothing, found.steps)


def _sizes(sides: tuple[Matrix, Matrix]) -> tuple[int, int]:
    return sides[0].shape[1], sides[1].shape[1]


def _smoothing(
    penalties: Sequence[Penalty], bounds: Vector, columns: int, found: pirls.Fit
) -> Vector:
    """Return the curves' λ, the geometric mean over outputs."""
    logarithm = np.mean([np.log(s.weights) for s in found.solutions], axis=0)
    result = np.full(columns, np.nan)
    for penalty, value in zip(penalties, logarithm, strict=True):
        if penalty.kind == "curvature":
            result[np.searchsorted(bounds, penalty.index[0], "right") - 1] = np.exp(value)
    return result
