"""What callers may give: arrays of numbers, edges, names, models, files."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np

from kanditioned_spec import validate

from .curves import Array, to_numpy

Edge = tuple[int, int]


def points_of(where: str, control_points: Any) -> Array:
    """Return control points (I, K, O) in float64."""
    points = _numbers(where, "control_points", control_points)
    validate.control_points(where, points.shape)
    return points


def samples(where: str, data: Any, in_features: int) -> Array | None:
    """Return the finite rows of the data, shape (N, I), or None if there are none."""
    if data is None:
        return None
    array = _numbers(where, "data", data)
    validate.last_dimension(where, "data", array.shape, in_features)
    rows = array.reshape(-1, in_features)
    finite: Array = rows[np.isfinite(rows).all(axis=1)]
    return finite if len(finite) else None


def per_input(
    where: str, argument: str, value: Any, in_features: int, *, zero: bool = True
) -> Array:
    """Return a number for each input, shape (I,), not zero unless that is allowed."""
    array = _numbers(where, argument, value)
    fits = array.shape in ((), (1,), (in_features,))
    if not fits or not np.isfinite(array).all() or not (zero or array.all()):
        constraint = f"a finite number{'' if zero else ' != 0'}, or {in_features} of them"
        remedy = "The inverse of a standardisation has one for each input."
        got = f"shape {array.shape}" if array.ndim else repr(value)
        raise ValueError(validate.message(where, argument, constraint, got, remedy))
    return np.broadcast_to(array, in_features)


def names_of(where: str, argument: str, names: Sequence[str] | None, count: int) -> list[str]:
    """Return as many names as features: those given, or x_i and y_o."""
    if names is None:
        letter = "x" if argument == "input_names" else "y"
        return [f"${letter}_{{{index}}}$" for index in range(count)]
    remedy = "Name every one of them."
    if not isinstance(names, (Collection, np.ndarray)):
        raise TypeError(validate.message(where, argument, f"{count} names", repr(names), remedy))
    if len(names) != count:
        raise ValueError(validate.message(where, argument, f"{count} names", len(names), remedy))
    return [str(name) for name in names]


def edges_of(where: str, edges: Any, points: Array) -> list[Edge] | Literal["all"] | None:
    """Return pairs of an input and an output that exist, or which ones to choose.

    Raises:
        TypeError: They are no pairs of integers.
        ValueError: There are none, or one does not exist.
    """
    if edges is None or (isinstance(edges, str) and edges == "all"):
        return edges  # type: ignore[return-value]
    in_features, _, out_features = points.shape
    constraint = f'"all", or pairs (input < {in_features}, output < {out_features})'
    remedy = "Count inputs and outputs from 0."
    try:
        pairs = np.array([(int(i), int(o)) for i, o in edges if not isinstance(edges, str | bytes)])
    except (TypeError, ValueError):
        raise TypeError(validate.message(where, "edges", constraint, repr(edges), remedy)) from None
    limits = (in_features, out_features)
    if pairs.size == 0 or (pairs < 0).any() or (pairs >= limits).any():
        raise ValueError(validate.message(where, "edges", constraint, repr(edges), remedy))
    return [(int(i), int(o)) for i, o in pairs]


def check_has(where: str, argument: str, value: object, attributes: Sequence[str]) -> None:
    """Check that a layer or a network has what is drawn of it.

    Raises:
        TypeError: It has not.
    """
    if not all(hasattr(value, name) for name in attributes):
        constraint = f"an object with {' and '.join(f'`{name}`' for name in attributes)}"
        got, remedy = type(value).__name__, "For example a KANLayer or a KAN."
        raise TypeError(validate.message(where, argument, constraint, got, remedy))


def check_file(where: str, path: object) -> None:
    """Check that a picture can be written to `path`.

    Raises:
        TypeError: It is neither a path nor an open file.
    """
    if not (path is None or isinstance(path, str | os.PathLike) or hasattr(path, "write")):
        remedy = "The suffix of its name says the format."
        raise TypeError(validate.message(where, "path", "a path or a file", repr(path), remedy))


def check_flag(where: str, argument: str, value: object) -> None:
    """Check that a value is True or False.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, bool | np.bool_):
        remedy = "Names and numbers are not taken for one of them."
        raise TypeError(validate.message(where, argument, "True or False", repr(value), remedy))


def _numbers(where: str, argument: str, value: Any) -> Array:
    try:
        return to_numpy(value)
    except (TypeError, ValueError):
        remedy = "For example an array of NumPy, PyTorch or JAX."
        got = type(value).__name__
        raise TypeError(
            validate.message(where, argument, "an array of real numbers", got, remedy)
        ) from None
