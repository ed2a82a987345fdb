"""A stack of layers: what stands before each of them, and beside it.

With x_0 the inputs, the layers n = 0 … N - 1 give in turn

    z_n     = norm(drop(x_n))                        nothing is dropped before the first layer
    x_{n+1} = layer_n(z_n) + W_n z_n                 the second term with residuals alone

x_0 may be the inputs behind an input map. So normalisation stands before the first layer too, and a
residual takes the normalised input. x_N is the output. Per sample (`"layer"`) or per feature
(`"batch"`), and without scale or shift of its own,

    norm(x) = (x - mean) / √(variance + ε),          ε = 1e-5

`"layer"` takes mean and variance of the sample's features, `"batch"` those of the batch in
training, and in evaluation the running ones that a file holds. Variances are biased: sums of
squares over the number of terms. Dropout acts in training alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array
from .input_map import InputMap
from .reference import forward as evaluate_layer
from .shapes import Shapes, Signs

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
    input_map: InputMap | None = None,
) -> Array:
    """Evaluate a network, as in evaluation mode.

    Args:
        x: Inputs of shape (..., I).
        layers: Control points (I, K, O) and width of each layer.
        norm: One of `NORMS`.
        residuals: The matrix W (O, I) of each layer, or none at all.
        statistics: Running mean and variance (I,) before each layer, for `"batch"`.
        input_map: What the inputs go through first, if anything.
    """
    y = np.asarray(x, np.float64) if input_map is None else input_map(x)
    for index, (control_points, spline_width) in enumerate(layers):
        if norm == "layer":
            y = layer_norm(y)
        elif norm == "batch":
            y = normalise(y, *statistics[index])
        z, y = y, evaluate_layer(y, control_points, spline_width)
        if residuals:
            y = y + z @ np.asarray(residuals[index], np.float64).T
    return y


def layer_shapes(
    where: str,
    widths: Sequence[int],
    monotone: Signs = None,
    convex: Signs = None,
    *,
    norm: str = "none",
    residual: bool = False,
    input_map: InputMap | None = None,
) -> tuple[Shapes, ...]:
    """Return the shapes of each layer that give the outputs a shape in some of the inputs.

    The first layer has the shapes that are asked for. An increasing function of functions that rise
    rises, so every later layer increases in all of its features. A convex increasing function of
    convex functions is convex: later layers are convex too. Batch normalisation is an increasing
    line of each feature in evaluation; an input map increases.

    Raises:
        ValueError: The outputs could have another shape all the same; the message says why.
        TypeError: An argument is no mapping or sequence of signs.
    """
    first = Shapes.from_arguments(where, widths[0], monotone, convex)
    none = tuple(Shapes((0,) * width, (0,) * width) for width in widths[1:-1])
    if not first:
        return (first, *none)
    argument = "monotone" if any(first.monotone) else "convex"
    bent = {sign for sign in first.convex if sign}

    def refused(argument: str, constraint: str, got: str, remedy: str) -> ValueError:
        return ValueError(validate.message(where, argument, constraint, got, remedy))

    if norm == "layer":
        remedy = "It subtracts the mean of all features, so an output may fall where one rises."
        constraint = f'"batch" or "none" with {argument}='
        raise refused("norm", constraint, '"layer"', remedy)
    if residual:
        remedy = "The residual matrix may have any sign."
        raise refused("residual", f"False with {argument}=", "True", remedy)
    if len(bent) > 1 and len(widths) > 2:
        remedy = "Hidden layers bend one way. Use two networks, or one layer."
        constraint = "of one sign in a network of several layers"
        raise refused("convex", constraint, f"{list(first.convex)}", remedy)
    straight = [True] * widths[0] if input_map is None else input_map.is_affine()
    curved = [i for i, sign in enumerate(first.convex) if sign and not straight[i]]
    if curved:
        remedy = "A function of a bent map need not be convex. Use InputMap.domain or standardise."
        constraint = "of features whose input map is a straight line"
        raise refused("convex", constraint, f"feature {curved[0]}", remedy)
    bend = bent.pop() if bent else 0
    later = (Shapes((1,) * width, (bend,) * width) for width in widths[1:-1])
    return (first, *later)
