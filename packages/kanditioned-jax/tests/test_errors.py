"""What is refused, and in which words."""

from __future__ import annotations

import inspect
import math
import re
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from kanditioned_jax import KAN, KANLayer, add_curvature_decay, importance, prune, spline_forward

X, C = jnp.ones((2, 3)), jnp.ones((3, 4, 2))

CALLS = {
    "int": (lambda: spline_forward(jnp.ones((2, 3), int), C), TypeError, r"spline_forward\(x="),
    "rank": (lambda: spline_forward(X, C[0]), ValueError, r"spline_forward\(control_points="),
    "width": (
        lambda: spline_forward(X, C, -1.0),
        ValueError,
        r"\(spline_width=...\)` must be a finite",
    ),
    "features": (lambda: spline_forward(X[:, :2], C), ValueError, r"of shape \(..., 3\)"),
    "impl": (lambda: spline_forward(X, C, impl="fast"), ValueError, '"auto", "lookup", "dense"'),
    "precision": (lambda: spline_forward(X, C, precision="low"), ValueError, '"highest", "high"'),
    "feature_major": (lambda: spline_forward(X[0], C, feature_major=True), ValueError, "Flatten"),
    "key": (lambda: KANLayer(3, 2), ValueError, r"KANLayer\(key=...\)` must be a key"),
    "knots": (
        lambda: KANLayer(3, 2, num_control_points=1, key=0),
        ValueError,
        "got 1. Use at least",
    ),
    "dtype": (lambda: KANLayer(3, 2, key=0, dtype=int), TypeError, "must be one of float64"),
    "dtype of few bits": (
        lambda: KANLayer(3, 2, key=0, dtype=jnp.float8_e5m2),
        TypeError,
        "must be one of float64",
    ),
    "x of few bits": (
        lambda: KANLayer(3, 2, key=0)(jnp.ones(3, jnp.float8_e4m3fn)),
        TypeError,
        "of a floating dtype, got float8_e4m3fn",
    ),
    "data of words": (
        lambda: importance(LAYER, ["ab"]),
        TypeError,
        r"`importance\(data=...\)` must be an array, got str",
    ),
    "option": (lambda: KANLayer(3, 2, degree=2, key=0), TypeError, "degree="),
    "widths": (lambda: KAN([3], key=0), ValueError, r"KAN\(widths=...\)` must be a list"),
    "norm": (lambda: KAN([2, 1], key=0), ValueError, "at most their order"),
    "dropout": (lambda: KAN([3, 1], dropout=1.0, key=0), ValueError, r"a number in \[0, 1\)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_message(name):
    call, kind, words = CALLS[name]
    with pytest.raises(kind, match=words):
        call()


def test_shapes():
    assert spline_forward(jnp.ones(3), C).shape == (2,)
    assert spline_forward(jnp.ones((5, 0, 3)), C).shape == (5, 0, 2)
    assert spline_forward(X.T, C, feature_major=True).shape == (2, 2)
    assert spline_forward(X, jnp.ones((3, 4, 0))).shape == (2, 0)
    assert spline_forward(jnp.ones((2, 3), jnp.bfloat16), C).dtype == jnp.float32
    assert spline_forward(X.astype(jnp.bfloat16), C.astype(jnp.bfloat16)).dtype == jnp.bfloat16


LAYER, NETWORK = KANLayer(3, 2, key=0), KAN([3, 2], key=0)
DATA = np.ones((2, 3), np.float32)
PUBLIC = {
    "KANLayer": (KANLayer, {"in_features": 3, "out_features": 2, "key": 0}),
    "KANLayer.from_control_points": (KANLayer.from_control_points, {"control_points": C}),
    "KANLayer.penalty": (LAYER.penalty, {}),
    "KANLayer.refine": (LAYER.refine, {"num_control_points": 63}),
    "KANLayer.widen": (LAYER.widen, {"intervals": 1}),
    "KANLayer.fit_domain": (LAYER.fit_domain, {"data": DATA}),
    "KANLayer.reparameterize": (LAYER.reparameterize, {"parameterization": "dct"}),
    "KANLayer.to_numpy": (LAYER.to_numpy, {}),
    "KAN": (KAN, {"widths": [3, 2], "key": 0}),
    "KAN.layer_inputs": (NETWORK.layer_inputs, {"x": DATA}),
    "KAN.fit_domain": (NETWORK.fit_domain, {"data": DATA}),
    "importance": (importance, {"model": NETWORK, "data": DATA}),
    "prune": (prune, {"network": NETWORK, "x": DATA, "tolerance": 0.1}),
    "spline_forward": (spline_forward, {"x": X, "control_points": C}),
    "add_curvature_decay": (add_curvature_decay, {"smoothness": 1.0}),
}
"""Every public callable, and arguments that it takes."""
WRONG = (
    None, "a", -1, 0, 2.5, math.nan, True, [], {}, 1j, b"x", object(), len,
    np.zeros((2, 2)), np.zeros(3, int),
)  # fmt: skip
"""Values of which each is wrong for most arguments, and the last but three for all."""


def refusal(call, arguments):
    """Return the message of a wrong call, or nothing where the call is right."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of resampling, for numbers that are right
            call(**arguments)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", PUBLIC)
def test_a_wrong_argument_is_named_with_its_callable(name):
    call, right = PUBLIC[name]
    parameters = inspect.signature(call).parameters.values()
    names = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    callables = f"{name}|{name.rpartition('.')[2]}|{name}Layer"  # itself, or what does its work
    form = rf"`(?:{callables})\((\w+)=.+\)` must be .+, got .+\. .+"
    for argument in names:
        for value in WRONG:
            message = refusal(call, {**right, argument: value})
            found = re.fullmatch(form, message, re.DOTALL)
            assert found or not message, f"{argument}={value!r}: {message}"
            assert not found or found[1] in names
            if type(value) is object:
                assert found, f"{argument} takes anything"
                assert found[1] == argument
