"""The arguments of an estimator, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
        _shape(estimator, "monotone", names, categorical),
        _shape(estimator, "convex", names, categorical),
        bool(estimator.verbose),
    )


def _shape(
    estimator: Any, argument: str, names: Sequence[str], categorical: frozenset[int]
) -> dict[int, int]:
    """Return the sign for each column that an argument names."""
    where, given = type(estimator).__name__, getattr(estimator, argument)
    constraint = "1, -1 or 0 for names or numbers of columns, or for each column"
    if given is None:
        return {}
    if isinstance(given, str) or not isinstance(given, Iterable):
        remedy = "Pass a dict, as {'price': -1}."
        raise TypeError(validate.message(where, argument, constraint, repr(given), remedy))
    if not isinstance(given, Mapping):
        given = dict(enumerate(given))
        if len(given) != len(names):
            got, remedy = f"{len(given)} of them", f"There are {len(names)} columns."
            raise ValueError(validate.message(where, argument, constraint, got, remedy))
    found = {}
    for column, sign in given.items():
        (number,) = table.choose_columns(where, argument, [column], names)
        if sign not in (-1, 0, 1):
            remedy = "1 is rising or convex, -1 falling or concave."
            raise ValueError(validate.message(where, argument, constraint, repr(sign), remedy))
        if sign:
            _check_shape(estimator, argument, number, names, categorical)
            found[number] = int(sign)
    return found


def _check_shape(
    estimator: Any, argument: str, number: int, names: Sequence[str], categorical: frozenset[int]
) -> None:
    where, name = type(estimator).__name__, names[number]
    if number in categorical:
        constraint, remedy = "for columns of numbers", "Labels have no order."
        raise ValueError(validate.message(where, argument, constraint, repr(name), remedy))
    if widths(estimator):
        constraint, remedy = "None with hidden layers", "Use hidden_layer_sizes=()."
        raise ValueError(validate.message(where, argument, constraint, repr(name), remedy))
    if any(number in pair for pair in _pairs(estimator, names) or ()):
        constraint = "for columns that are in no pair of interactions="
        remedy = "A pair term would undo the shape of its columns."
        raise ValueError(validate.message(where, argument, constraint, repr(name), remedy))


NEEDS_ALL = "Use `fit`, which reads large tables in parts too."


def takes_batches(estimator: Any) -> bool:
    """Say whether an estimator has `partial_fit`, which one with hidden layers has not.

    Raises:
        AttributeError: It has not.
    """
    if widths(estimator):
        where, got = type(estimator).__name__, estimator.hidden_layer_sizes
        message = validate.message(
            where, "hidden_layer_sizes", "() for partial_fit", got, NEEDS_ALL
        )
        raise AttributeError(message)
    return True


def check_batches(estimator: Any) -> None:
    """Refuse what `partial_fit` cannot do exactly.

    Raises:
        ValueError: There are pairs or another loss than that of least squares.
    """
    where, remedy = type(estimator).__name__, NEEDS_ALL
    if estimator.loss != "squared_error":
        got, constraint = repr(estimator.loss), '"squared_error" for partial_fit'
        raise ValueError(validate.message(where, "loss", constraint, got, remedy))
    given = estimator.interactions
    if given is not None and not (isinstance(given, int | str) and given in (0, "auto")):
        constraint = '0 or "auto" for partial_fit'
        raise ValueError(validate.message(where, "interactions", constraint, repr(given), remedy))


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
        chosen = table.choose_columns(where, "interactions", list(pair), names)
        if len(set(chosen)) != 2:
            remedy = "A pair is two different columns."
            raise ValueError(
                validate.message(where, "interactions", constraint, repr(pair), remedy)
            )
        pairs.add((min(chosen), max(chosen)))
    return tuple(sorted(pairs))
