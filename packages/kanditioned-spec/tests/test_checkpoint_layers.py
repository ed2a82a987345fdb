"""What a file holds of a layer, before there is a file: its configuration and its numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import Problem
from kanditioned_spec.checkpoint import (
    LAYER_DTYPES,
    MAX_CONTROL_POINTS,
    Layer,
    LayerConfig,
    bfloat16_bits,
    bfloat16_values,
)

GOOD: dict[str, Any] = {"in_features": 2, "out_features": 2, "num_control_points": 4}
BAD_CONFIGS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"in_features": 0}, ValueError, r"`LayerConfig\(in_features=\.\.\.\)` .* >= 1, got 0"),
    ({"out_features": 2.0}, TypeError, r"out_features=.* got 2\.0"),
    ({"num_control_points": 1}, ValueError, r">= 2, got 1"),
    ({"num_control_points": MAX_CONTROL_POINTS + 1}, ValueError, r"<= 65536 in a file, got 65537"),
    ({"spline_width": 10**400}, ValueError, r"spline_width=.* finite number > 0, got inf"),
    ({"spline_width": "4"}, TypeError, r"spline_width=.* got '4'"),
    ({"parameterization": "spline"}, ValueError, r'must be one of "bspline"'),
    ({"parameterization": "dct", "options": {"transform": 3}}, ValueError, r'"auto", "fft"'),
    ({"options": {"degree": 2}}, TypeError, r"it has no options, got degree="),
    ({"dtype": "int64"}, ValueError, r'must be one of "float64", "float32", "float16", "bfloat16"'),
]


def test_bfloat16_numbers_and_bits() -> None:
    every = np.arange(2**16, dtype=np.uint16)
    np.testing.assert_array_equal(bfloat16_bits(bfloat16_values(every)), every)
    assert bfloat16_values(bfloat16_bits([1.0, -2.5, np.inf])).tolist() == [1.0, -2.5, np.inf]
    with pytest.raises(ValueError, match=r"`bfloat16_bits\(values=\.\.\.\)` must be numbers that"):
        bfloat16_bits([1.0, 1.001])


def test_values_are_numbers() -> None:
    half = Layer(LayerConfig(1, 1, 2, dtype="bfloat16"), np.array([[[0x3F80], [0xC020]]], "u2"))
    assert half.values.ravel().tolist() == [1.0, -2.5]
    single = Layer(LayerConfig(1, 1, 2), np.ones((1, 2, 1), np.float32))
    assert single.values is single.parameters


@pytest.mark.parametrize("dtype", LAYER_DTYPES)
def test_a_layer_is_built_from_its_values(dtype: str) -> None:
    config = LayerConfig(1, 2, 3, dtype=dtype)
    values = np.arange(-2.0, 4.0).reshape(1, 3, 2)
    layer = Layer.of(config, values)
    np.testing.assert_array_equal(layer.values, values)
    assert Layer(config, layer.parameters).parameters.tobytes() == layer.parameters.tobytes()


def test_a_configuration_is_a_problem_without_batch_and_device() -> None:
    problem = Problem(7, 3, 2, 9, 2.0, "float16", "cpu", "dct", (("transform", "fft"),))
    config = LayerConfig.of(problem)
    assert config.problem(batch=7) == problem
    assert config.problem(1, "cuda") == dataclasses.replace(problem, batch=1, device="cuda")
    assert (config.shape, config.map().options) == ((3, 9, 2), {"transform": "fft"})


def test_a_configuration_states_every_option() -> None:
    bare = LayerConfig(1, 1, 5, 4, "demmler_reinsch", {"smoothing": 1})
    full = (("smoothing", 1.0), ("density", "uniform"), ("spline_width", 4.0))
    assert (bare.options, bare.spline_width) == (full, 4.0)
    assert bare == LayerConfig(1, 1, 5, 4.0, "demmler_reinsch", full)
    assert hash(bare) == hash(dataclasses.replace(bare))


@pytest.mark.parametrize(("fields", "error", "pattern"), BAD_CONFIGS)
def test_bad_configurations_are_refused(
    fields: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    with pytest.raises(error, match=pattern):
        LayerConfig(**GOOD | fields)


def test_parameters_must_fit_their_configuration() -> None:
    config = LayerConfig(2, 3, 4, parameterization="parallel_scan")
    for wrong in (np.zeros((2, 4, 3), "f4"), np.zeros((2, 8, 3), "f8"), np.zeros((2, 8, 3), "u2")):
        with pytest.raises(ValueError, match=r"must be float32 of shape \(2, 8, 3\), got "):
            Layer(config, wrong)
    with pytest.raises(TypeError, match=r"parameters=.*bfloat16 is given as its bits"):
        Layer(config, np.zeros((2, 8, 3), "c8"))
