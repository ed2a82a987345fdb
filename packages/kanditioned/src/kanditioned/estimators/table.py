"""Tables: NumPy arrays and DataFrames of pandas or polars, as columns of numbers or labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_X_y

from kanditioned_spec import validate
from kanditioned_spec.sketch import Sketch

from .arrays import Objects, Vector
from .knots import place
from .terms import Category, Column, LazyRows, Numeric, Place, plain

MOST_LEVELS = 254
"""Levels of a category, the most frequent ones; all others have no effect of their own."""


LARGE = 1 << 24
"""Numbers of a table that is read in parts, where it is, perhaps in a file: 128 MiB."""
PART = 1 << 17
"""Rows of a part."""


def is_large(columns: Sequence[Objects]) -> bool:
    """Say whether a table is read in parts."""
    return sum(map(len, columns)) > LARGE


def parts(rows: int, title: str | None = None) -> Iterator[slice]:
    """Yield all rows in parts, with a progress bar if it has a title."""
    starts: Iterable[int] = range(0, rows, PART)
    if title:
        bar = validate.import_optional("fit with verbose=True", "tqdm.auto", "kanditioned[sklearn]")
        starts = bar.tqdm(starts, desc=title, unit="part")
    for start in starts:
        yield slice(start, min(start + PART, rows))


def locate(table: Sequence[Objects], number: int, column: Column, *, clamped: bool) -> Place:
    """Return where the values of one column of a table fall, at once or when it is asked for."""
    rows = LazyRows(column, table[number], clamped)
    return rows if is_large(table) else rows.take(slice(None))


def is_frame(X: Any) -> bool:
    """Say whether `X` is a DataFrame."""
    return hasattr(X, "columns") and hasattr(X, "dtypes") and hasattr(X, "__getitem__")


def columns_of(where: str, X: Any) -> list[Objects]:
    """Return the columns of a DataFrame, each float64 with NaN, or objects.

    Numbers, truth values and dates (in seconds) become float64, all else stays as it is.

    Raises:
        ValueError: A number is infinite.
        TypeError: A label cannot be looked up, such as a list.
    """
    names = list(X.columns)
    by_position = getattr(X, "iloc", None)
    columns = []
    for index, name in enumerate(names):
        series = X[name] if by_position is None else by_position[:, index]
        values = _values(series)
        if values.dtype == np.float64 and np.isinf(values).any():
            constraint = "of finite numbers, or NaN for missing ones"
            got = f"infinity in column {name!r}"
            remedy = "Replace it by NaN or by a number."
            raise ValueError(validate.message(where, "X", constraint, got, remedy))
        if values.dtype == object:
            _check_labels(where, name, values)
        columns.append(values)
    return columns


def _check_labels(where: str, name: Any, values: Objects) -> None:
    for value in values.tolist():
        try:
            hash(value)
        except TypeError:
            constraint, got = "of numbers or labels", f"{value!r:.60} in column {name!r}"
            remedy = "Make columns of what it holds, or text."
            raise TypeError(validate.message(where, "X", constraint, got, remedy)) from None


def _values(series: Any) -> Objects:
    if getattr(series.dtype, "kind", "O") in "biuf":
        try:
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        except TypeError:  # of polars, whose to_numpy has no such arguments
            pass
    values = np.asarray(series.to_numpy())
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype.kind in "mM":
        seconds = values.astype(f"{values.dtype.kind}8[us]")
        missing = np.isnat(seconds)
        numbers: Objects = seconds.astype(np.int64) / 1e6
        numbers[missing] = np.nan
        return numbers
    objects = values.astype(object)
    labels = plain(objects)
    if not _is_categorical(series) and all(x is None or isinstance(x, Real) for x in labels):
        return np.array([np.nan if x is None else float(x) for x in labels])  # type: ignore[arg-type]
    return objects


def _is_categorical(series: Any) -> bool:
    return str(series.dtype).split("(")[0] in ("category", "Categorical", "Enum")


def targets(estimator: Any, X: Any, y: Any, **options: Any) -> Any:
    """Return checked targets for a DataFrame, by the same rules as for an array."""
    rows = np.zeros((len(X), 1))
    return check_X_y(rows, y, estimator=estimator, **options)[1]


def choose_columns(where: str, argument: str, given: Any, names: Sequence[str]) -> list[int]:
    """Return the columns that names, numbers or a mask choose.

    Raises:
        ValueError: There is no such column.
        TypeError: It is none of these.
    """
    items = [given] if isinstance(given, str | int) else list(given)
    constraint = "names or numbers of columns, or a truth value for each"
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        if len(items) != len(names):
            remedy = f"Pass one truth value for each of the {len(names)} columns."
            got = f"{len(items)} truth values"
            raise ValueError(validate.message(where, argument, constraint, got, remedy))
        return [index for index, item in enumerate(items) if item]
    return [_position(where, argument, item, names) for item in items]


def _position(where: str, argument: str, item: Any, names: Sequence[str]) -> int:
    constraint = "names or numbers of columns, or a truth value for each"
    if isinstance(item, str) and item in names:
        return list(names).index(item)
    if isinstance(item, int | np.integer) and -len(names) <= item < len(names):
        return int(item) % len(names)
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    remedy = f"The columns are {shown}."
    kind = ValueError if isinstance(item, str | int | np.integer) else TypeError
    raise kind(validate.message(where, argument, constraint, repr(item), remedy))


def numbers(where: str, name: str, values: Objects, stays: bool) -> Vector:
    """Return a column as float64, or if it stays where it is, floating as it is.

    Raises:
        ValueError: A value is no number.
    """
    if values.dtype.kind == "f":
        return values if stays else np.ascontiguousarray(values, np.float64)
    try:
        return np.array([np.nan if x is None else x for x in plain(values)], np.float64)
    except (TypeError, ValueError) as error:
        constraint, got = "of numbers", f"column {name!r} with another value ({error})"
        remedy = "Name the column in categorical_features, or convert it."
        raise ValueError(validate.message(where, "X", constraint, got, remedy)) from None


def describe(name: str, values: Objects, weight: Vector, count: int, categorical: bool) -> Column:
    """Return the knots or labels of a column.

    Args:
        name: Of the column.
        values: Shape (N,).
        weight: Shape (N,), > 0.
        count: Most knots.
        categorical: Whether values are labels.
    """
    if not categorical:
        x = np.asarray(values, np.float64)
        is_there = ~np.isnan(x)
        if not is_there.any():
            return Numeric(name, np.zeros(1))
        return Numeric(name, place(x[is_there], weight[is_there], count))
    total: dict[object, float] = {}
    for label, each in zip(plain(values), weight.tolist(), strict=True):
        total[label] = total.get(label, 0.0) + each
    kept = sorted(total, key=lambda label: (-total[label], *_order(label)))[:MOST_LEVELS]
    return Category(name, tuple(sorted(kept, key=_order)))


def sketch(
    names: Sequence[str],
    columns: Sequence[Objects],
    weight: Vector,
    count: int,
    categorical: frozenset[int],
    title: str | None,
) -> list[Column]:
    """Return the knots or labels of the columns of a large table, read once, in parts.

    Knots follow sketches of the columns (`kanditioned_spec.sketch`), in which every row counts
    once: their ranks are off by some .02 %, their ends are exact.
    """
    sketches = {n: Sketch() for n in range(len(columns)) if n not in categorical}
    for index in parts(len(weight), title):
        for number, sketch in sketches.items():
            sketch.add(columns[number][index])
    found: list[Column] = []
    for number, (name, values) in enumerate(zip(names, columns, strict=True)):
        if number in categorical:
            found.append(describe(name, values, weight, count, True))
        elif sketches[number].count:
            known = sketches[number].distribution()
            found.append(Numeric(name, place(known.values, known.weights, count)))
        else:
            found.append(Numeric(name, np.zeros(1)))
    return found


def _order(label: object) -> tuple[int, float, str]:
    """Numbers by size, then all others by what they are called, a missing value last."""
    if label is None:
        return 2, 0.0, ""
    if isinstance(label, Real):
        return 0, float(label), ""
    return 1, 0.0, str(label)
