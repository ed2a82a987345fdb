"""What is refused, and in which words."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from kanditioned_jax import KAN, KANLayer, spline_forward

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
    "dtype": (lambda: KANLayer(3, 2, key=0, dtype=int), TypeError, "floating dtype"),
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
