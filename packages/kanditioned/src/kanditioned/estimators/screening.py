"""Which pairs of columns leave the largest effects in the residuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .arrays import Indices, Matrix, Objects, Vector
from .terms import Column, Numeric

BINS = 6
"""Of a column, at most."""
SHRINKAGE = 5.0
"""Rows that are added to a cell of no effect."""


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


def screen(
    codes: Sequence[Indices], residual: Matrix, information: Matrix, dispersion: Vector
) -> list[tuple[float, tuple[int, int]]]:
    """Rank all pairs by how much the cells of their bins stand out, best first.

    With S the sum of residuals in a cell, in units of √φ, and N its information, Σ (S² - N)/(N + κ)
    over the cells has mean zero without an effect, and variance 2 Σ (N/(N + κ))².

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
    gain, tiny = np.zeros((len(codes), len(codes))), float(np.finfo(np.float64).tiny)
    for r, n, phi in zip(residual.T, information.T, dispersion, strict=True):
        scaled = r / np.sqrt(max(phi, tiny))
        sums, counts = hot.T @ (scaled[:, None] * hot), hot.T @ (n[:, None] * hot)
        shrunk = counts + SHRINKAGE * n.mean() + tiny
        excess = _blocks((sums**2 - counts) / shrunk, bounds)
        spread = _blocks(2 * (counts / shrunk) ** 2, bounds)
        gain += excess / np.sqrt(np.maximum(spread, tiny))
    gain /= np.sqrt(len(dispersion))
    first, second = np.triu_indices(len(codes), 1)
    order = np.argsort(-gain[first, second], kind="stable")
    return [(float(gain[first[k], second[k]]), (int(first[k]), int(second[k]))) for k in order]


def _blocks(values: Matrix, bounds: Indices) -> Matrix:
    rows = np.add.reduceat(values, bounds[:-1], axis=0)
    total: Matrix = np.add.reduceat(rows, bounds[:-1], axis=1)
    return total
