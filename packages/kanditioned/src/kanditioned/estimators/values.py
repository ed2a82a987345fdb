"""Columns of numbers whose values act one by one, as those of an identifier do.

A curve through a few knots is blind to them. Where the rows repeat the values of a column, the
residuals say whether it is: their sums over the rows of each value would stand out. Such a column
gets a knot at every value.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import pirls, screening
from .arrays import Flags, Indices, Vector
from .pairs import Problem
from .table import MOST_LEVELS
from .terms import Column, Numeric

LEAST_ROWS = 2
"""Mean number of rows of a value."""


def refine(problem: Problem, found: pirls.Fit) -> list[Column]:
    """Return the columns with a knot at every value where a fit asks for it, none if nowhere."""
    found_in = {number: _find_repeated(problem, number) for number in range(len(problem.columns))}
    repeated = {number: each for number, each in found_in.items() if each is not None}
    if not repeated:
        return []
    residuals = problem.residuals(problem.design, found)
    columns, is_finer = list(problem.columns), False
    for number, (there, distinct, code) in repeated.items():
        column = columns[number]
        if isinstance(column, Numeric) and _stand_out(code, there, residuals):
            columns[number], is_finer = replace(column, knots=distinct), True
    return columns if is_finer else []


def _find_repeated(problem: Problem, number: int) -> tuple[Flags, Vector, Indices] | None:
    """Return the rows that have a number, the distinct ones, and which each row has."""
    column = problem.columns[number]
    if not isinstance(column, Numeric):
        return None
    x = np.asarray(problem.data[number], np.float64)
    if len(np.unique(x[: 4 * MOST_LEVELS])) > MOST_LEVELS + 1:  # seen without a look at all rows
        return None
    there = ~np.isnan(x)
    distinct, code = np.unique(x[there], return_inverse=True)
    most = min(MOST_LEVELS, problem.weight[there].sum() / LEAST_ROWS)
    return (there, distinct, code) if len(column.knots) < len(distinct) <= most else None


def _stand_out(code: Indices, there: Flags, residuals: screening.Residuals) -> bool:
    scaled, information = residuals.scaled[there], residuals.information[there]
    rows, gain = residuals.weight[there].sum(), 0.0
    for r, n in zip(scaled.T, information.T, strict=True):
        sums, counts = (np.bincount(code, each).astype(np.float64) for each in (r, n))
        excess, spread = screening.notable(sums, counts, n.sum() / rows)
        gain += float(excess.sum() / np.sqrt(spread.sum()))
    return bool(gain > screening.NOTABLE * np.sqrt(scaled.shape[1]))
