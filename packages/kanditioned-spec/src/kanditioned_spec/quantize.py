"""How a network is rounded to the int8 profile, and how far that is from what it was.

**Tables.** Of every edge the middle of its range goes into the bias. With `scale="output"` all
edges of an output share one step and m is 1; with `scale="edge"` each has m times the smallest one,
for I · O bytes more.

A residual W is part of the tables: W z is the spline with control points W z_k. Normalisation stays
float32 arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import validate
from .checkpoint import Network, float_values
from .grid import Array, Grid
from .int8 import LARGEST, STEPS, QuantizedLayer, QuantizedNetwork, Single, spacings_beyond
from .network import layer_norm, normalise
from .reference import forward

MOST_CONTROL_POINTS = 2**14
"""So that float32 holds every position."""
SCALES = ("edge", "output")


@dataclass(frozen=True)
class Error:
    """How far int8 is from float64, as shares of the root mean square of the float64 outputs.

    Attributes:
        where: `"layer 0"` …, each fed with what float64 gives it, or `"end to end"`.
        rms: Root mean square.
        worst: Largest of all outputs and rows.
    """

    where: str
    rms: float
    worst: float


def quantize(
    network: Network, scale: str = "edge", data: npt.ArrayLike | None = None
) -> QuantizedNetwork:
    """Round a network to the int8 profile.

    Args:
        network: What a file holds.
        scale: `"edge"`, or `"output"`, which is coarser, smaller and faster.
        data: Inputs (..., I) that are like those to come: control points that none of them reaches
            do not widen a table's range, and are cut off at it. By default all count.

    Raises:
        ValueError: `scale` is unknown, `data` do not fit, or a layer has too many inputs or
            control points for sums of 32 bits.
    """
    validate.choice("quantize", "scale", scale, SCALES)
    x = None if data is None else np.asarray(data, np.float64)
    layers = []
    for n in range(len(network.layers)):
        points, grid = _fold(network, n), network.layers[n].config.grid
        z = None if x is None else _normalise(network, n, x)
        layers.append(_quantize(points, grid, scale, z))
        x = None if z is None else forward(z, points, grid.spline_width)
    pairs = [
        (float_values(s.mean).astype(np.float32), float_values(s.variance).astype(np.float32))
        for s in network.statistics
    ]
    return QuantizedNetwork(layers, network.norm, pairs)


def report(network: Network, quantized: QuantizedNetwork, x: npt.ArrayLike) -> list[Error]:
    """Compare a quantized network with what it was made from, at inputs (..., I).

    Returns:
        One entry for each layer, and one for the whole.
    """
    errors, y = [], np.asarray(x, np.float64)
    for n, layer in enumerate(quantized.layers):
        z = _normalise(network, n, y)
        y = forward(z, _fold(network, n), layer.spline_width)
        errors.append(_error(f"layer {n}", layer.forward(z), y))
    return [*errors, _error("end to end", quantized.forward(x), y)]


def _error(where: str, got: Single, want: Array) -> Error:
    size = np.sqrt(np.mean(want**2))
    difference = np.abs(got - want) / size
    return Error(where, float(np.sqrt(np.mean(difference**2))), float(difference.max()))


def _normalise(network: Network, n: int, x: Array) -> Array:
    if network.norm == "layer":
        return layer_norm(x)
    if network.norm == "batch":
        found = network.statistics[n]
        mean, variance = float_values(found.mean), float_values(found.variance)
        return normalise(x, mean.astype(np.float64), variance.astype(np.float64))
    return x


def _fold(network: Network, n: int) -> Array:
    """Return the control points of a layer, its residual among them."""
    layer = network.layers[n]
    points: Array = layer.control_points()
    if network.residuals:
        weight = float_values(network.residuals[n]).astype(np.float64)
        points = points + layer.config.grid.knots()[:, None] * weight.T[:, None]
    return points


def _quantize(points: Array, grid: Grid, scale: str, z: Array | None) -> QuantizedLayer:
    low, high = _ranges(points, grid, z)
    middle, amplitude = (low + high) / 2, (high - low) / 2
    constant = middle.sum(0)
    factors, step = _steps(amplitude, constant, scale, grid.num_control_points)
    tables = np.rint((points - middle[:, None]) / (step * factors)[:, None])
    scales = (step / STEPS).astype(np.float32)
    biases = np.rint(constant / scales.astype(np.float64))
    return QuantizedLayer(
        tables.clip(-LARGEST, LARGEST).astype(np.int8),
        factors.astype(np.int8),
        biases.astype(np.int32),
        scales,
        grid.spline_width,
    )


def _steps(amplitude: Array, constant: Array, scale: str, count: int) -> tuple[Array, Array]:
    """Return factors (I, O), as large as sums of 32 bits allow, and steps (O,).

    Half of the range of the sums is for the tables, and the other for the constants.
    """
    room = 2**30 / _largest(np.ones_like(amplitude), count)
    if (room < 1).any():
        constraint = "of layers whose sums fit 32 bits"
        remedy = "Use fewer inputs or control points."
        got = f"one of {len(amplitude)} inputs and {count} control points"
        raise ValueError(validate.message("quantize", "network", constraint, got, remedy))
    largest = np.floor(np.minimum(room, LARGEST)) if scale == "edge" else np.ones_like(room)
    finest = np.maximum(STEPS / 2**29 * np.abs(constant), np.finfo(np.float32).tiny * 2**30)
    step = np.maximum(amplitude.max(0) / LARGEST / largest, finest)
    factors = np.ceil(amplitude / LARGEST / step - 1e-9).clip(1, largest)
    return factors, step


def _largest(factors: Array, count: int) -> Array:
    """Return a bound of |sum - bias|, shape (O,), for inputs anywhere."""
    each = LARGEST * STEPS * (1 + 2 * spacings_beyond(count))
    bound: Array = each * factors.sum(0)
    return bound


def _ranges(points: Array, grid: Grid, z: Array | None) -> tuple[Array, Array]:
    """Return the lowest and highest control point of every edge that data reach, (I, O) each."""
    count = grid.num_control_points
    if count > MOST_CONTROL_POINTS:
        constraint, remedy = f"of {MOST_CONTROL_POINTS} control points at most", "Resample it."
        raise ValueError(validate.message("quantize", "network", constraint, count, remedy))
    if z is None:
        return points.min(1), points.max(1)
    validate.last_dimension("quantize", "data", z.shape, points.shape[0])
    interval = grid.locate(z.reshape(-1, points.shape[0])).interval
    if not interval.size:
        remedy = "Pass inputs that are like those to come, or None."
        raise ValueError(validate.message("quantize", "data", "not empty", "no rows", remedy))
    k = np.arange(count)
    reached = (k >= interval.min(0)[:, None]) & (k <= interval.max(0)[:, None] + 1)
    low = np.where(reached[:, :, None], points, np.inf).min(1)
    high = np.where(reached[:, :, None], points, -np.inf).max(1)
    return low, high
