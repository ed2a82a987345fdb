"""How curves go on beyond the data.

The last piece of a curve often rests on one or two rows, and its slope would rule everything beyond
it. So a curve leaves its data with the slope of its last piece or with that of the straight line
through the whole curve, whichever is flatter, or with none if they disagree in sign (the limiter
"minmod" of finite volume methods). A straight line goes on as it is. After `REACH` times the range
of the data it is constant: a value out there says little about the curve, and may be a code. A
convex or concave curve keeps the slopes of its ends, as it must.

Both ends are knots of their own, so that every backend, file and export has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .arrays import Matrix, Vector
from .terms import Additive, Column, Numeric, Term

REACH = 3.0
KNOTS = 2
"""At each end: where the curve gets flat, and one that says so."""


def limit_ends(model: Additive, shares: Sequence[Vector]) -> Additive:
    """Return the model with limited ends of all curves, for the weights in their slots."""
    terms = [_limit(term, share) for term, share in zip(model.terms, shares, strict=True)]
    return replace(model, terms=tuple(terms))


def pad(values: Matrix, column: Column) -> Matrix:
    """Return values (slots, ...) of the knots within the data for all knots: the last at an end."""
    if not isinstance(column, Numeric) or not column.outer:
        return values
    ends = [(column.outer, column.outer)] + [(0, 0)] * (values.ndim - 1)
    return np.concatenate([np.pad(values[:-1], ends, mode="edge"), values[-1:]])


def _limit(term: Term, share: Vector) -> Term:
    column = term.column
    if not isinstance(column, Numeric) or len(column.knots) < 2 or column.convex:
        return term
    if not term.effects[:-1].any():
        return term
    knots, curve = column.knots, term.effects[:-1]
    with np.errstate(over="ignore"):
        reach = REACH * (knots[-1] - knots[0])
        outer = np.array([2 * reach, reach])
        wide = np.concatenate([knots[0] - outer, knots, knots[-1] + outer[::-1]])
    if not np.isfinite(wide).all():
        return term
    whole = _slope(knots, curve, share[:-1].clip(min=0.0))
    first = _minmod((curve[1] - curve[0]) / (knots[1] - knots[0]), whole)
    last = _minmod((curve[-1] - curve[-2]) / (knots[-1] - knots[-2]), whole)
    below, above = curve[0] - reach * first, curve[-1] + reach * last
    effects = np.concatenate([[below, below], curve, [above, above], term.effects[-1:]])
    return Term(replace(column, knots=wide, outer=KNOTS), effects)


def _slope(knots: Vector, curve: Matrix, share: Vector) -> Vector:
    """Return the slope of the weighted least-squares line through a curve, (O,)."""
    scale = np.abs(knots).max()
    z = knots / scale
    z = z - share @ z / share.sum()
    slope: Vector = (share * z) @ curve / (share @ z**2) / scale
    return slope


def _minmod(a: Vector, b: Vector) -> Vector:
    flatter: Vector = np.where(np.abs(a) < np.abs(b), a, b)
    return np.where(np.sign(a) == np.sign(b), flatter, 0.0)
