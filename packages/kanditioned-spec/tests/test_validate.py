"""Argument checks: what is refused, with which error, in which words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import validate

REFUSED: list[tuple[Callable[..., Any], Any, type[Exception], str]] = [
    (validate.num_control_points, 1, ValueError, "1"),
    (validate.num_control_points, 0, ValueError, "0"),
    (validate.num_control_points, -8, ValueError, "-8"),
    (validate.num_control_points, 2.5, TypeError, "2.5"),
    (validate.num_control_points, 8.0, TypeError, "8.0"),
    (validate.num_control_points, "8", TypeError, "'8'"),
    (validate.num_control_points, True, TypeError, "True"),
    (validate.num_control_points, None, TypeError, "None"),
    (validate.spline_width, 0, ValueError, "0.0"),
    (validate.spline_width, -1, ValueError, "-1.0"),
    (validate.spline_width, math.nan, ValueError, "nan"),
    (validate.spline_width, math.inf, ValueError, "inf"),
    (validate.spline_width, 10**400, ValueError, "inf"),
    (validate.spline_width, "4", TypeError, "'4'"),
    (validate.spline_width, True, TypeError, "True"),
    (validate.spline_width, 4j, TypeError, "4j"),
    (validate.spline_width, None, TypeError, "None"),
]


@pytest.mark.parametrize(("check", "value", "error", "got"), REFUSED)
def test_refused(check: Callable[..., Any], value: Any, error: type[Exception], got: str) -> None:
    with pytest.raises(error) as caught:
        check("KANLayer", value)
    text = str(caught.value)
    assert text.startswith(f"`KANLayer({check.__name__}=...)` must be ")
    assert f", got {got}. " in text
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("check", "value", "want"),
    [
        (validate.num_control_points, 2, 2),
        (validate.num_control_points, np.int64(8), 8),
        (validate.spline_width, 4, 4.0),
        (validate.spline_width, np.float32(0.5), 0.5),
        (validate.spline_width, 5e-324, 5e-324),
    ],
)
def test_accepted_as_a_plain_number(check: Callable[..., Any], value: Any, want: float) -> None:
    result = check("KANLayer", value)
    assert (type(result), result) == (type(want), want)


def test_message_names_callable_argument_constraint_value_and_remedy() -> None:
    with pytest.raises(ValueError, match="KANLayer") as caught:
        validate.num_control_points("KANLayer", 1)
    assert str(caught.value) == (
        "`KANLayer(num_control_points=...)` must be an integer >= 2, got 1. "
        "Use at least two control points: one at each end of the domain."
    )


@pytest.mark.parametrize("value", [0, -3])
def test_features_are_counted_from_one(value: int) -> None:
    assert validate.feature_count("KANLayer", "in_features", 1) == 1
    with pytest.raises(ValueError, match=rf"in_features=\.\.\.\)` .* >= 1, got {value}"):
        validate.feature_count("KANLayer", "in_features", value)


@pytest.mark.parametrize("value", ["B", "", None, 3, ["a"]])
def test_a_choice_outside_the_list_names_the_list(value: Any) -> None:
    assert validate.choice("f", "mode", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match=r'`f\(mode=\.\.\.\)` must be one of "a", "b", got'):
        validate.choice("f", "mode", value, ("a", "b"))


def test_zero_is_allowed_where_asked_for() -> None:
    assert validate.finite_real("f", "a", 0, "a number >= 0", "Why.", zero=True) == 0.0
    with pytest.raises(ValueError, match=r"got 0\.0"):
        validate.finite_real("f", "a", 0, "a number > 0", "Why.")


@pytest.mark.parametrize("shape", [(), (2,), (3, 2), (3, 0)])
def test_the_last_dimension_holds_the_features(shape: tuple[int, ...]) -> None:
    validate.last_dimension("forward", "x", (*shape, 3), 3)
    with pytest.raises(ValueError, match=r"of shape \(\.\.\., 3\), got shape \("):
        validate.last_dimension("forward", "x", shape, 3)


def test_integers_are_not_inputs() -> None:
    validate.floating("KANLayer.forward", "x", True, "float32")
    with pytest.raises(TypeError, match=r"must be of a floating dtype, got int64\. Convert it"):
        validate.floating("KANLayer.forward", "x", False, "int64")
