"""Which pairs of columns leave the largest effects in the residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Indices, Matrix, Objects, Vector
from .families import Family
from .terms import Column, Numeric

BINS = 6
"""Of a column, at most."""
TINY = float(np.finfo(np.float64).tiny)
SHRINKAGE = 5.0
"""Rows that are added to a cell of no effect."""
NOTABLE = 3.0
"""Standard deviations by which a sum of squares must stand out."""


class Residuals(NamedTuple):
    """What a fit leaves over, (N, O) each.

    Attributes:
        scaled: Derivative of the log-likelihood by η, times √φ.
        information: Its variance.
        weight: Of the rows, (N,).
    """

    scaled: Matrix
    information: Matrix
    weight: Vector


def residuals(
    family: Family, eta: Matrix, y: Matrix, weight: Vector, dispersion: Vector
) -> Residuals:
    """Return the residuals of predictors η (N, O) for targets (N, O), with φ of every output."""
    information, residual = np.empty_like(eta), np.empty_like(eta)
    for output in range(y.shape[1]):
        alone, others = family.given_others(eta, output)
        own = eta[:, output] - others
        working, response = alone.step(own, y[:, output])
        information[:, output] = weight * working
        residual[:, output] = weight * working * (response - own)
    return Residuals(residual / np.sqrt(np.maximum(dispersion, TINY)), information, weight)


def notable(sums: Matrix, counts: Matrix, each: float) -> tuple[Matrix, Matrix]:
    """Return by how much cells stand out, and the variance of that without an effect.

    With S the sum of residuals in a cell and N its information, (S² - N)/(N + κ) has mean zero
    without an effect, and variance 2 (N/(N + κ))².

    Args:
        sums: S.
        counts: N.
        each: Information of a row of weight one, in which κ is counted.
    """
    shrunk = counts + SHRINKAGE * each + TINY
    return (sums**2 - counts) / shrunk, 2 * (counts / shrunk) ** 2


def bins(columns: Sequence[Column], data: Sequence[Objects]) -> list[Indices]:
    """Return the bin of every row in each column, -1 for a missing value: at most `BINS`."""
    found = []
    for column, values in zip(columns, data, strict=True):
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


def screen(codes: Sequence[Indices], residuals: Residuals) -> list[tuple[float, tuple[int, int]]]:
    """Rank all pairs by how much the cells of their bins stand out, best first.

    Args:
        codes: Bins of each column (N,), -1 for none.
        residuals: Of the fit.
    """
    sizes = [int(code.max(initial=0)) + 1 for code in codes]
    bounds = np.cumsum([0, *sizes])
    hot = np.zeros((len(residuals.scaled), bounds[-1]))
    for code, start in zip(codes, bounds, strict=False):
        rows = np.flatnonzero(code >= 0)
        hot[rows, start + code[rows]] = 1.0
    gain = np.zeros((len(codes), len(codes)))
    for r, n in zip(residuals.scaled.T, residuals.information.T, strict=True):
        sums, counts = hot.T @ (r[:, None] * hot), hot.T @ (n[:, None] * hot)
        excess, spread = notable(sums, counts, n.sum() / residuals.weight.sum())
        gain += _blocks(excess, bounds) / np.sqrt(np.maximum(_blocks(spread, bounds), TINY))
    gain /= np.sqrt(residuals.scaled.shape[1])
    first, second = np.triu_indices(len(codes), 1)
    order = np.argsort(-gain[first, second], kind="stable")
    return [(float(gain[first[k], second[k]]), (int(first[k]), int(second[k]))) for k in order]


def _blocks(values: Matrix, bounds: Indices) -> Matrix:
    rows = np.add.reduceat(values, bounds[:-1], axis=0)
    total: Matrix = np.add.reduceat(rows, bounds[:-1], axis=1)
    return total
