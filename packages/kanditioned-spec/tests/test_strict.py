"""The strict backend: each refusal once, with its remedy; right calls go through."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import InputMap, Problem
from kanditioned_spec.backend import ReferenceBackend
from kanditioned_spec.backend import backend as reference
from kanditioned_spec.protocol import CAPABILITIES, CompleteBackend, offers
from kanditioned_spec.registry import load
from kanditioned_spec.rounding import round_to
from kanditioned_spec.strict import StrictBackend, UnpromisedWarning, backend

PROBLEM = Problem(4, 3, 2, 6)
X, C, GY = (
    np.random.default_rng(0).normal(size=size).astype("float32")
    for size in ((4, 3), (3, 6, 2), (4, 2))
)
MAP = InputMap([[-1.0, 0.0, 1.0]] * 3, [[-1.0, 0.5, 1.0]] * 3)


def half(array: Any) -> Any:
    return np.ones(array.size + 1, "float32").view("u1")[1:-3].view("float32").reshape(array.shape)


def uneven(array: Any) -> Any:
    pairs = np.zeros(array.shape, [("number", "f4"), ("flag", "u2")])
    return pairs["number"]


ARRAYS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "a list": (lambda x: x.tolist(), TypeError, "Convert it: numpy.array(x, 'float32')"),
    "a masked array": (np.ma.asarray, TypeError, "Convert it"),
    "integers": (lambda x: x.astype(int), TypeError, "Convert it: x.astype('float32')"),
    "a wider dtype": (lambda x: x.astype("float64"), TypeError, "Convert it"),
    "another byte order": (lambda x: x.astype(">f4"), TypeError, "Convert it"),
    "unaligned entries": (half, ValueError, "Copy it: x.copy()"),
    "half entries between": (uneven, ValueError, "Copy it: x.copy()"),
    "one row for all": (lambda x: x[:1], ValueError, "Nothing is broadcast"),
    "one feature for all": (lambda x: x[:, :1], ValueError, "Nothing is broadcast"),
    "a number": (lambda x: x[0, 0], TypeError, "Convert it"),
    "no dimension": (lambda x: np.array(x[0, 0]), ValueError, "Nothing is broadcast"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_are_refused(kind: str) -> None:
    change, error, remedy = ARRAYS[kind]
    with pytest.raises(error, match=re.escape(remedy)) as raised:
        backend.forward(PROBLEM, change(X), C)
    assert str(raised.value).startswith("`forward(x=...)` must ")


def test_gradients_have_the_leading_shape_of_inputs() -> None:
    with pytest.raises(
        ValueError, match=r"`vjp\(grad_y=...\)` must be of shape \(2, 2, 2\).* Nothing"
    ):
        backend.vjp(PROBLEM, X.reshape(2, 2, 3), C, GY)


def test_numbers_of_bfloat16_are_asked_for() -> None:
    p = replace(PROBLEM, dtype="bfloat16")
    x, c = round_to(X, "bfloat16"), round_to(C, "bfloat16")
    with pytest.raises(ValueError, match=r"Round it: kanditioned_spec.rounding.round_to\(x"):
        backend.forward(p, X, c)
    assert (backend.forward(p, x, c) == reference.forward(p, x, c)).all()


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "batch": ({"batch": -1}, "number of rows"),
    "in_features": ({"in_features": 2.0}, "positive integer"),
    "out_features": ({"out_features": 0}, "positive integer"),
    "num_control_points": ({"num_control_points": 1}, "at least two"),
    "spline_width": ({"spline_width": np.inf}, "width of the domain"),
    "spline_width of a dtype": ({"spline_width": 1e30}, "Scale the inputs"),
    "dtype": ({"dtype": "int8"}, "Choose one"),
    "device": ({"device": "cuda"}, "Choose one"),
    "parameterization": ({"parameterization": "spline"}, "Choose one"),
    "option": ({"options": (("degree", 2),)}, "Remove it"),
    "monotone": ({"monotone": (1, 1)}, "For example"),
    "options": ({"options": [("transform", "fft")], "parameterization": "dct"}, "a hash"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_are_refused(name: str) -> None:
    changes, remedy = PROBLEMS[name]
    problem = replace(PROBLEM, **changes)
    reason = backend.supports(problem)
    assert isinstance(reason, str)
    assert name.partition(" ")[0] in reason
    assert remedy in reason
    with pytest.raises((TypeError, ValueError), match=re.escape(reason)):
        backend.penalty(problem, C)


def test_what_is_no_problem_is_refused() -> None:
    with pytest.raises(TypeError, match="Build a `Problem`"):
        backend.forward({}, X, C)  # type: ignore[arg-type, unused-ignore]


def test_an_input_map_takes_its_dtype_or_float64() -> None:
    for dtype in ("float32", "float64"):
        x = X.astype(dtype)
        z, slope = backend.map_input(MAP, x, x, "float32")
        assert (z == MAP(x).astype("float32")).all()
        assert (slope == (x * MAP.slope(x)).astype("float32")).all()
    with pytest.raises(TypeError, match="Convert it"):
        backend.map_input(MAP, X.astype("float16"), X, "float32")
    with pytest.raises(ValueError, match="Choose one"):
        backend.map_input(MAP, X, X, "int8")
    with pytest.raises(ValueError, match="Nothing is broadcast"):
        backend.map_input(MAP, X, X[:1], "float32")


def test_a_seed_is_counted_and_is_not_the_reference_s() -> None:
    with pytest.raises(ValueError, match="Count seeds from 0"):
        backend.initial_control_points(PROBLEM, "random_normal", -1)
    mine = backend.initial_control_points(PROBLEM, "random_normal", 3)
    assert (mine == backend.initial_control_points(PROBLEM, "random_normal", 3)).all()
    assert (mine != reference.initial_control_points(PROBLEM, "random_normal", 3)).any()


def test_slopes_near_knots_are_warned_of_where_positions_are_inexact() -> None:
    x = np.zeros_like(X)
    odd = replace(PROBLEM, num_control_points=7)
    c = np.ones((3, 7, 2), "float32")
    with pytest.warns(UnpromisedWarning, match="Move them") as caught:
        backend.vjp(odd, x, c, GY)
    assert caught[0].filename == __file__
    backend.forward(odd, x, c)  # values do not jump
    dyadic = replace(PROBLEM, num_control_points=5)
    backend.vjp(dyadic, x, np.ones((3, 5, 2), "float32"), GY)  # and there is no rounding


def test_results_are_sealed_and_right() -> None:
    for got, want in zip(
        backend.vjp(PROBLEM, X, C, GY), reference.vjp(PROBLEM, X, C, GY), strict=True
    ):
        assert (got == want).all()
        assert not got.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            got[...] = 0
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            got.flags.writeable = True


def test_keywords_are_those_of_the_protocol() -> None:
    y = backend.forward(problem=PROBLEM, x=X, control_points=C)
    assert (y == reference.forward(PROBLEM, X, C)).all()
    with pytest.raises(TypeError, match="unexpected keyword"):
        backend.forward(PROBLEM, X, C, precision="high")


def test_it_has_the_capabilities_and_nothing_else() -> None:
    assert isinstance(load("kanditioned_spec.strict:backend"), StrictBackend)
    complete: CompleteBackend = backend
    assert all(offers(complete, name) for name in CAPABILITIES)
    public = {name for name in dir(backend) if not name.startswith("_")}
    assert public == {"info", "supports", "forward", *CAPABILITIES}
    assert public < set(dir(ReferenceBackend()))
    assert dir(backend.layer(in_features=1, out_features=1)) == dir(object())
