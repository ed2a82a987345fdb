"""Small layers that several modules use."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
import pytest


class Layer(NamedTuple):
    """Inputs (B, I), control points (I, K, O) and a cotangent (B, O), float64 NumPy."""

    x: np.ndarray
    c: np.ndarray
    gy: np.ndarray


def _arrays(batch: int = 5, inputs: int = 3, outputs: int = 2, count: int = 6) -> Layer:
    rng = np.random.default_rng(batch)
    return Layer(
        rng.uniform(-3, 3, (batch, inputs)),
        rng.standard_normal((inputs, count, outputs)),
        rng.standard_normal((batch, outputs)),
    )


@pytest.fixture
def arrays():
    """Make a layer's arrays for given sizes."""
    return _arrays


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield
