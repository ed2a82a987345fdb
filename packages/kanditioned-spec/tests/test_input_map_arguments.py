"""What a map takes, and what it refuses by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kanditioned_spec.input_map import InputMap


@pytest.mark.parametrize(
    ("points", "images", "match"),
    [
        ([0.0, 1.0], [0.0, 1.0], r"`InputMap\(breakpoints=.*shape \(2,\)"),
        ([[0.0]], [[0.0]], r"breakpoints=.*M >= 2"),
        ([[0.0, 0.0]], [[0.0, 1.0]], r"breakpoints=.*strictly increasing"),
        ([[0.0, 1.0]], [[1.0, 0.0]], r"images=.*strictly increasing"),
        ([[0.0, np.nan]], [[0.0, 1.0]], r"breakpoints=.*up to ±1e\+36"),
        ([[0.0, 1.0]], [[0.0, np.inf]], r"images=.*up to ±1e\+36"),
        ([[0.0, 1.0]], [[0.0, 1.0, 2.0]], r"images=.*of the shape of breakpoints, \(1, 2\)"),
        ([[0.0, 1e-37]], [[0.0, 1.0]], r"images=.*of slopes between"),
    ],
)
def test_what_is_no_map_is_refused(points: list[object], images: list[object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        InputMap(points, images)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: InputMap.quantiles([[1.0]], 1), r"quantiles\(num_breakpoints=.*>= 2, got 1"),
        (lambda: InputMap.quantiles([[1.0]], range_share=1.5), r"range_share=.*in \[0, 1\]"),
        (lambda: InputMap.quantiles([[1.0]], steepness=0.5), r"steepness=.*>= 1, got 0.5"),
        (lambda: InputMap.quantiles([[1.0]], spline_width=0), r"spline_width=.*> 0"),
        (lambda: InputMap.domain([[1.0]], 0.0), r"coverage=.*in \(0, 1\]"),
        (lambda: InputMap.standardise([[np.nan]]), r"data=.*got a feature without any"),
        (lambda: InputMap.standardise(iter(())), r"data=.*got nothing"),
        (lambda: InputMap.standardise(np.zeros((0, 2))), r"got a feature without any"),
        (lambda: InputMap.standardise([np.zeros((3, 2)), np.zeros((3, 1))]), r"shape \(3, 1\)"),
        (lambda: InputMap.affine(0.0, 1.0)([[1.0, 2.0]]), r"InputMap\(x=.*\(\.\.\., 1\)"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (None, "a NoneType"),
        (3.0, "a float"),
        ("rows", "a str"),
        ({"x": [1.0]}, "a dict"),
        ([["a"], ["b"]], "a list"),
        (np.array([["a"]]), "a ndarray of <U1"),
        (np.array([["2020-01-01"]], "datetime64[s]"), r"a ndarray of datetime64\[s\]"),
        (np.array([[1j]]), "a ndarray of complex128"),
        ([[[1.0], [1.0, 2.0]]], "a list"),
    ],
)
def test_data_that_are_no_numbers_are_named(data: object, got: str) -> None:
    for build in (InputMap.standardise, InputMap.domain, InputMap.quantiles):
        match = rf"`{build.__qualname__}\(data=...\)` must be .*, got {got}\. [A-Z]"
        with pytest.raises(TypeError, match=match):
            build(data)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"`InputMap\(x=...\)` must be of numbers"):
        InputMap.affine(0.0, 1.0)([["a"]])
    with pytest.raises(TypeError, match=r"`InputMap\(images=...\)` must be of numbers"):
        InputMap([[0.0, 1.0]], [["0", "1"]])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16", "float32"])
def test_numbers_of_any_dtype_are_taken_at_their_value(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2, (50, 3)).astype(dtype)
    for build in (InputMap.standardise, InputMap.domain, InputMap.quantiles):
        assert build(x) == build(x.astype(np.float64))
        np.testing.assert_array_equal(build(x)(x), build(x)(x.astype(np.float64)))
