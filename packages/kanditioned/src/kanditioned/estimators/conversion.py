"""The additive model as one layer behind an input map: the spec's own value, for every backend.

Every column is an input. A category's is the number of its label, and the first number beyond for a
label that was not seen. A column with missing values gets a second input, 1 where the value is
missing and 0 elsewhere; the first then holds a knot. The intercept sits in the first input's
control points. Pair terms are no part of a layer: `Additive.surfaces` has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kanditioned_spec.checkpoint.network import Network
from kanditioned_spec.checkpoint.schema import Layer, LayerConfig
from kanditioned_spec.input_map import InputMap

from .arrays import Matrix, Objects, Vector
from .terms import Additive, Numeric, Term

SPLINE_WIDTH = 4.0


def inputs(model: Additive, table: Sequence[Objects]) -> Matrix:
    """Return the layer's inputs (N, I') for rows of a table.

    A missing value is NaN where the training had none: the layer has no effect to give it.
    """
    parts: list[Vector] = []
    for term, values in zip(model.terms, table, strict=True):
        if not isinstance(term.column, Numeric):
            rows = term.column.locate(values)
            parts.append(rows.slot + rows.fraction)
            continue
        x = np.asarray(values, np.float64)
        if _has_missing(term):
            is_missing = np.isnan(x)
            parts += [np.where(is_missing, _fill(term), x), is_missing.astype(np.float64)]
        else:
            parts.append(x)
    return np.stack(parts, axis=1)


def input_names(model: Additive) -> list[str]:
    """Return the names of the layer's inputs."""
    names = []
    for term in model.terms:
        names.append(term.column.name)
        if _has_missing(term):
            names.append(f"{term.column.name} is missing")
    return names


def network(model: Additive) -> Network:
    """Return the layer with its input map, whose outputs lack the pair terms alone."""
    curves: list[tuple[Vector, Matrix]] = []
    for term in model.terms:
        curves.append(_curve(term))
        if _has_missing(term):
            at_fill = term(np.array([_fill(term)]))[0]
            step = np.stack([np.zeros_like(at_fill), term.effects[-1] - at_fill])
            curves.append((np.array([0.0, 1.0]), step))
    count = max(len(knots) for knots, _ in curves)
    padded = [_pad(knots, values, count) for knots, values in curves]
    points = np.stack([values for _, values in padded])
    points[0] += model.intercept
    config = LayerConfig(len(points), points.shape[2], count, SPLINE_WIDTH, dtype="float64")
    images = np.tile(config.grid.knots(), (len(points), 1))
    input_map = InputMap(np.stack([knots for knots, _ in padded]), images)
    return Network([Layer.of(config, points)], norm="none", input_map=input_map)


def _has_missing(term: Term) -> bool:
    return isinstance(term.column, Numeric) and bool(term.effects[-1].any())


def _fill(term: Term) -> float:
    """Return the knot that stands in for a missing value."""
    assert isinstance(term.column, Numeric)
    return float(term.column.knots[len(term.column.knots) // 2])


def _curve(term: Term) -> tuple[Vector, Matrix]:
    """Return knots, two or more, and the values there."""
    if not isinstance(term.column, Numeric):
        return np.arange(float(len(term.effects))), term.effects
    knots, values = term.column.knots, term.effects[:-1]
    if len(knots) == 1:
        width = max(abs(float(knots[0])), 1.0)
        return np.array([knots[0], knots[0] + width]), np.repeat(values, 2, axis=0)
    return knots, values


def _pad(knots: Vector, values: Matrix, count: int) -> tuple[Vector, Matrix]:
    """Add knots on the lines between others, which changes nothing, until there are `count`."""
    pieces = len(knots) - 1
    each = np.full(pieces, (count - 1) // pieces)
    each[: (count - 1) % pieces] += 1
    share = np.concatenate([np.arange(n) / n for n in each] + [np.zeros(1)])
    piece = np.r_[np.repeat(np.arange(pieces), each), pieces]
    above = np.minimum(piece + 1, pieces)
    at = knots[piece] + share * (knots[above] - knots[piece])
    between = values[piece] + share[:, None] * (values[above] - values[piece])
    return at, between
