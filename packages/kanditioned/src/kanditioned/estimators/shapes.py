"""Curves that only rise or fall, or that bend one way only.

A linear spline rises where its control points do, and is convex where its slopes rise. So a shape
is a set of linear inequalities G β >= 0, and the fit a quadratic problem with a unique minimum. It
is solved through its dual, a non-negative least-squares problem: with H = L Lᵀ the matrix of the
penalised normal equations H β = b and M = L⁻¹ Gᵀ, the multipliers μ >= 0 minimise ‖M μ + L⁻¹ b‖²,
and β = L⁻ᵀ (L⁻¹ b + M μ) (Boyd and Vandenberghe, Convex Optimization, 2004, section 5.2). The
weights λ are those of the free fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from .arrays import Indices, Matrix
from .terms import Column, Numeric, Term

MOST_STEPS = 30
"""Of the active-set method, for each inequality."""


def has_shape(column: Column) -> bool:
    """Say whether a column's curve is restricted."""
    return isinstance(column, Numeric) and bool(column.monotone or column.convex)


def inequalities(column: Numeric, matrix: Matrix) -> Matrix:
    """Return G, (m, P), for the basis (slots, P) of a column; each row has unit length."""
    knots = column.knots / np.abs(column.knots).max(initial=np.finfo(np.float64).tiny)
    slopes = np.diff(matrix[:-1], axis=0) / np.diff(knots)[:, None]
    parts = [np.zeros((0, matrix.shape[1]))]
    if column.monotone:
        parts.append(column.monotone * slopes)
    if column.convex:
        parts.append(column.convex * np.diff(slopes, axis=0))
    rows = np.concatenate(parts)
    size = np.linalg.norm(rows, axis=1)
    scaled: Matrix = rows[size > 0] / size[size > 0, None]
    return scaled


def together(parts: Sequence[Matrix | None], bounds: Indices) -> Matrix:
    """Return G, (m, P), of columns whose coefficients lie between bounds."""
    found = [np.zeros((0, int(bounds[-1])))]
    for part, start in zip(parts, bounds, strict=False):
        if part is not None:
            rows = np.zeros((len(part), int(bounds[-1])))
            rows[:, start : start + part.shape[1]] = part
            found.append(rows)
    return np.concatenate(found)


def solve_constrained(h: Matrix, b: Matrix, rows: Matrix) -> Matrix:
    """Return the β, (P, O), of least βᵀ H β - 2 bᵀ β for each output with G β >= 0."""
    scale = 1.0 / np.sqrt(np.diag(h))
    lower = cholesky(h * np.outer(scale, scale), lower=True)
    m = solve_triangular(lower, (rows * scale).T, lower=True)
    size = np.linalg.norm(m, axis=0)
    m = m / size
    right = solve_triangular(lower, b * scale[:, None], lower=True)
    steps = MOST_STEPS * len(rows) + 100
    multipliers = np.stack([nnls(m, -each, maxiter=steps)[0] for each in right.T], axis=1)
    beta = solve_triangular(lower.T, right + m @ multipliers, lower=False)
    return np.asarray(beta * scale[:, None])


def exact(term: Term) -> Term:
    """Return a term without the rounding errors of its shape."""
    column = term.column
    if not isinstance(column, Numeric) or not has_shape(column):
        return term
    widths = np.diff(column.knots)[:, None]
    slopes = np.diff(term.effects[:-1], axis=0) / widths
    if column.convex:
        slopes = column.convex * np.maximum.accumulate(column.convex * slopes, axis=0)
    if column.monotone:
        slopes = column.monotone * np.maximum(column.monotone * slopes, 0.0)
    curve = np.cumsum(np.concatenate([term.effects[:1], slopes * widths]), axis=0)
    return replace(term, effects=np.concatenate([curve, term.effects[-1:]]))
