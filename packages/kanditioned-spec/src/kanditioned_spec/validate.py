"""Argument checks, and the one form in which every backend reports bad input.

A message names the callable and the argument, the constraint, what came, and what to do::

    `KANLayer(num_control_points=...)` must be an integer >= 2, got 1. Use at least two control
    points: one at each end of the domain.

A value of the wrong kind raises `TypeError`, a value outside its range `ValueError`.
"""

from __future__ import annotations

import importlib
import math
import operator
import sys
import warnings
from collections.abc import Iterable, Sequence
from numbers import Real
from types import ModuleType
from typing import Any


def message(where: str, argument: str, constraint: str, got: Any, remedy: str) -> str:
    """Compose an error message in the agreed form."""
    return f"`{where}({argument}=...)` must be {constraint}, got {got}. {remedy}"


def warn(text: str, category: type[Warning]) -> None:
    """Warn at the line that called into these packages, however deep in them this is.

    (`warnings.warn(skip_file_prefixes=...)` says the same, from Python 3.12 on.)
    """
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("kanditioned"):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


def integer(where: str, argument: str, value: Any, minimum: int, remedy: str) -> int:
    """Return `value` as an `int` of at least `minimum`.

    Raises:
        TypeError: `value` is not an integer (floats and strings are not converted).
        ValueError: `value` is below `minimum`.
    """
    constraint = f"an integer >= {minimum}"
    try:
        if isinstance(value, bool):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise TypeError(message(where, argument, constraint, repr(value), remedy)) from None
    if result < minimum:
        raise ValueError(message(where, argument, constraint, result, remedy))
    return result


def finite_real(
    where: str, argument: str, value: Any, constraint: str, remedy: str, *, zero: bool = False
) -> float:
    """Return `value` as a finite `float` above zero (or at zero, with `zero=True`).

    Raises:
        TypeError: `value` is not a real number.
        ValueError: `value` is negative, infinite, NaN, or zero where zero is not allowed.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(message(where, argument, constraint, repr(value), remedy))
    try:
        result = float(value)
    except OverflowError:  # an integer beyond float64's range
        result = math.inf
    # Comparisons alone, which compilers trace; NaN fails them.
    if not 0 <= result < math.inf or (result == 0 and not zero):
        raise ValueError(message(where, argument, constraint, result, remedy))
    return result


def choice(where: str, argument: str, value: Any, valid: Iterable[str]) -> str:
    """Return `value` if it is one of the `valid` names.

    Raises:
        ValueError: it is not; the message lists the valid names.
    """
    names = list(valid)
    if not isinstance(value, str) or value not in names:
        listed = ", ".join(f'"{name}"' for name in names)
        raise ValueError(
            message(where, argument, f"one of {listed}", repr(value), "Choose one of these names.")
        )
    return value


def feature_count(where: str, argument: str, value: Any) -> int:
    """Return a number of features: an integer >= 1."""
    return integer(where, argument, value, 1, "Pass the number of features as a positive integer.")


def num_control_points(where: str, value: Any, argument: str = "num_control_points") -> int:
    """Return a number of control points per edge: an integer >= 2."""
    remedy = "Use at least two control points: one at each end of the domain."
    return integer(where, argument, value, 2, remedy)


def spline_width(where: str, value: Any) -> float:
    """Return a domain width in input units: a finite number > 0."""
    remedy = "It is the width of the domain [-spline_width/2, spline_width/2] in input units."
    return finite_real(where, "spline_width", value, "a finite number > 0", remedy)


def control_points(where: str, shape: Sequence[int]) -> None:
    """Check that control points have shape (I, K, O) with K >= 2.

    Raises:
        ValueError: They have not.
    """
    if len(shape) != 3:
        constraint = "of shape (in_features, num_control_points, out_features)"
        remedy = "Stack the control points of all edges into one three-dimensional array."
        got = f"shape {tuple(shape)}"
        raise ValueError(message(where, "control_points", constraint, got, remedy))
    num_control_points(where, shape[1])


def widths(where: str, value: Any) -> tuple[int, ...]:
    """Return the numbers of features of a network, before, between and after its layers.

    Raises:
        ValueError: They are not a list or tuple of at least two.
    """
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        constraint = "a list or tuple of at least two numbers of features"
        remedy = "For example [4, 16, 1]: four inputs, sixteen hidden features, one output."
        raise ValueError(message(where, "widths", constraint, repr(value), remedy))
    return tuple(feature_count(where, "widths", width) for width in value)


def norm(where: str, value: Any, widths: Sequence[int], valid: Sequence[str]) -> str:
    """Return what stands before each layer of a network, one of the `valid` names.

    Raises:
        ValueError: It is not, or it is `"layer"` and a layer has one or two inputs.
    """
    name = choice(where, "norm", value, valid)
    few = [width for width in widths[:-1] if width < 3]
    if name == "layer" and few:
        others = " or ".join(f'"{other}"' for other in valid if other != name)
        constraint = f"{others} before a layer of one or two features"
        remedy = "Normalising over so few features leaves at most their order."
        raise ValueError(message(where, "norm", constraint, f'"{name}" with {few[0]}', remedy))
    return name


def dropout(where: str, value: Any) -> float:
    """Return a probability of dropping a hidden feature: a number in [0, 1)."""
    constraint, remedy = "a number in [0, 1)", "It is the share of hidden features to drop."
    probability = finite_real(where, "dropout", value, constraint, remedy, zero=True)
    if probability >= 1:
        raise ValueError(message(where, "dropout", constraint, probability, remedy))
    return probability


def coverage(where: str, value: Any) -> float:
    """Return a share of the data that has to be in the domain: a number in (0, 1]."""
    constraint, remedy = "a number in (0, 1]", "It is the share of the data within the domain."
    share = finite_real(where, "coverage", value, constraint, remedy)
    if share > 1:
        raise ValueError(message(where, "coverage", constraint, share, remedy))
    return share


def tolerance(where: str, value: Any) -> float:
    """Return how far an output may move: a finite number >= 0."""
    remedy = "It is how far an output may move, in its own units."
    return finite_real(where, "tolerance", value, "a finite number >= 0", remedy, zero=True)


def square(where: str, in_features: int, out_features: int) -> None:
    """Check that an identity layer has as many outputs as inputs.

    Raises:
        ValueError: it has not.
    """
    if in_features != out_features:
        raise ValueError(
            f'`{where}(init="identity")` must have in_features == out_features, '
            f"got {in_features} and {out_features}. "
            'Make them equal, or use init="random_normal".'
        )


def last_dimension(where: str, argument: str, shape: tuple[int, ...], in_features: int) -> None:
    """Check that an input has shape (..., in_features).

    Raises:
        ValueError: it has not.
    """
    if len(shape) < 1 or shape[-1] != in_features:
        raise ValueError(
            message(
                where,
                argument,
                f"of shape (..., {in_features})",
                f"shape {tuple(shape)}",
                f"The last dimension holds the {in_features} input features.",
            )
        )


def floating(where: str, argument: str, is_floating: bool, dtype: object) -> None:
    """Check that an array holds floating-point numbers.

    Raises:
        TypeError: it does not.
    """
    if not is_floating:
        raise TypeError(
            message(
                where,
                argument,
                "of a floating dtype",
                dtype,
                "Convert it to float32, or float64 for large numbers such as times; for category "
                "codes use an embedding.",
            )
        )


def import_optional(where: str, module: str, requirement: str) -> ModuleType:
    """Import a module that only `where` needs.

    Args:
        where: What needs it.
        module: The name to import.
        requirement: What to pip-install to get it.

    Raises:
        ImportError: It cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"`{where}` must have {package} installed, got {error}. "
            f'Install it: pip install "{requirement}"'
        ) from error


def instance(
    where: str,
    argument: str,
    value: Any,
    kind: type | tuple[type, ...],
    name: str,
    remedy: str,
) -> None:
    """Check that a value is of a type.

    Raises:
        TypeError: It is not; the message calls the type by `name`.
    """
    if not isinstance(value, kind):
        raise TypeError(message(where, argument, name, f"a {type(value).__name__}", remedy))
