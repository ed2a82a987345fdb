"""The arguments of an estimator, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kanditioned_spec import validate

from . import table
from .additive import Settings

SOLVERS = ("auto", "reml", "adam", "lbfgs")


def widths(estimator: Any) -> tuple[int, ...]:
    """Return the features between the layers, and check the solver against them."""
    where, sizes = type(estimator).__name__, estimator.hidden_layer_sizes
    remedy = "It counts the features between the layers; () is an additive model."
    listed = sizes if np.ndim(sizes) else [sizes]
    found = tuple(validate.integer(where, "hidden_layer_sizes", size, 1, remedy) for size in listed)
    solver = validate.choice(where, "solver", estimator.solver, SOLVERS)
    if solver == "reml" and found:
        constraint, remedy = (
            '"adam" or "lbfgs" with hidden layers',
            "Their loss has no formula.",
        )
        raise ValueError(validate.message(where, "solver", constraint, '"reml"', remedy))
    if solver in ("adam", "lbfgs") and not found:
        constraint, remedy = '"reml" without hidden layers', "It goes to the exact minimum."
        raise ValueError(validate.message(where, "solver", constraint, f'"{solver}"', remedy))
    return found


def settings(
    estimator: Any, names: Sequence[str], categorical: frozenset[int], seed: int
) -> Settings:
    """Return what the arguments of an estimator say about its additive model."""
    where = type(estimator).__name__
    count, smoothing = estimator.num_control_points, estimator.smoothing
    if count != "auto":
        count = validate.num_control_points(where, count)
    if smoothing != "auto":
        constraint = 'a finite number >= 0, or "auto"'
        remedy = "It is the weight of the curvature penalty."
        smoothing = validate.finite_real(
            where, "smoothing", smoothing, constraint, remedy, zero=True
        )
    return Settings(
        None if count == "auto" else count,
        None if smoothing == "auto" else smoothing,
        categorical,
        _pairs(estimator, names),
        validate.integer(where, "n_bags", estimator.n_bags, 2, "It counts folds."),
        seed,
    )


def _pairs(estimator: Any, names: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
    where, given = type(estimator).__name__, estimator.interactions
    constraint = '"auto", 0 or a list of pairs of columns'
    if isinstance(given, str) and given == "auto":
        return () if widths(estimator) else None
    if given is None or (isinstance(given, int) and given == 0):
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        remedy = '"auto" finds pairs, 0 leaves them out.'
        raise TypeError(validate.message(where, "interactions", constraint, repr(given), remedy))
    pairs = set()
    for pair in given:
        chosen = table.chosen(where, "interactions", list(pair), names)
        if len(set(chosen)) != 2:
            remedy = "A pair is two different columns."
            raise ValueError(
                validate.message(where, "interactions", constraint, repr(pair), remedy)
            )
        pairs.add((min(chosen), max(chosen)))
    return tuple(sorted(pairs))
