"""A stack of layers: what stands before each of them, and beside it.

With x_0 the inputs, the layers n = 0 … N - 1 give in turn

    z_n     = norm(drop(x_n))                        nothing is dropped before the first layer
    x_{n+1} = layer_n(z_n) + W_n z_n                 the second term with residuals alone

so normalisation stands before the first layer too, and a residual takes the normalised input.
x_N is the output. Per sample (`"layer"`) or per feature (`"batch"`), and without scale or shift of
its own,

    norm(x) = (x - mean) / √(variance + ε),          ε = 1e-5

`"layer"` takes mean and variance of the sample's features, `"batch"` those of the batch in
training, and in evaluation the running ones that a file holds. Variances are biased: sums of
squares over the number of terms. Dropout acts in training alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .grid import Array
from .reference import forward as evaluate_layer

NORMS = ("layer", "batch", "none")
EPSILON = 1e-5
"""ε, added to every variance."""


def normalise(x: npt.ArrayLike, mean: npt.ArrayLike, variance: npt.ArrayLike) -> Array:
    """Return (x - mean) / √(variance + ε)."""
    x = np.asarray(x, np.float64)
    return np.asarray((x - mean) / np.sqrt(np.asarray(variance, np.float64) + EPSILON))


def layer_norm(x: npt.ArrayLike) -> Array:
    """Return every sample of `x` (..., I) with the mean and variance of its features removed."""
    x = np.asarray(x, np.float64)
    return normalise(x, x.mean(-1, keepdims=True), x.var(-1, keepdims=True))


def forward(
    x: npt.ArrayLike,
    layers: Sequence[tuple[npt.ArrayLike, float]],
    norm: str,
    residuals: Sequence[npt.ArrayLike] = (),
    statistics: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]] = (),
) -> Array:
    """Evaluate a network, as in evaluation mode.

    Args:
        x: Inputs of shape (..., I).
        layers: Control points (I, K, O) and width of each layer.
        norm: One of `NORMS`.
        residuals: The matrix W (O, I) of each layer, or none at all.
        statistics: Running mean and variance (I,) before each layer, for `"batch"`.
    """
    y = np.asarray(x, np.float64)
    for index, (control_points, spline_width) in enumerate(layers):
        if norm == "layer":
            y = layer_norm(y)
        elif norm == "batch":
            y = normalise(y, *statistics[index])
        z, y = y, evaluate_layer(y, control_points, spline_width)
        if residuals:
            y = y + z @ np.asarray(residuals[index], np.float64).T
    return y
