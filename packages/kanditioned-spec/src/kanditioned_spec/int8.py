r"""The int8 profile: a layer in integers, to the last bit the same on every machine.

**Position.** With x in float32, a = w/2 and r = 255 (K - 1)/w both rounded to float32, and each
operation rounded to float32 on its own (no fused multiply-add),

    v = min(max((x + a) · r, -255 E), 255 (K - 1 + E)),     p = ⌊(v + (255 E + 1/2))⌋ - 255 E

is the position in units of a 255th of a knot spacing. E = ⌈(K - 1)/2⌉: inputs are clipped to
twice the domain, infinities too. The interval is l = clip(⌊p / 255⌋, 0, K - 2) and the fraction
f = p - 255 l, 0 … 255 inside the domain.

**Value.** With tables q of int8 in [-127, 127], factors m of 1 … 127 and biases of int32,

    sum[o] = bias[o] + Σ_i m[i, o] ((255 - f) q[i, l, o] + f q[i, l + 1, o]),
    y[o] = scale[o] · float32(sum[o])

in exact 32-bit integers, which no input can exceed, and one rounding to float32 each for the
conversion and the product. NaN in an input of a row makes the row's outputs NaN.

Weights 255 - f and f fit unsigned bytes, and (255 - f) q + f q' fits 16 bits: what the multiply-add
of byte pairs, which processors have, asks for.

Normalisation stays float32 arithmetic. `quantize` makes the tables of a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array, Grid
from .network import layer_norm, normalise

Single = npt.NDArray[np.float32]

STEPS = 255
"""Fractions of a knot spacing."""
LARGEST = 127
"""Of the entries of a table."""


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """A layer in integers.

    Attributes:
        tables: q, int8, shape (I, K, O).
        factors: m, int8, shape (I, O).
        biases: int32, shape (O,).
        scales: float32, shape (O,).
        spline_width: w, in input units.
    """

    tables: npt.NDArray[np.int8]
    factors: npt.NDArray[np.int8]
    biases: npt.NDArray[np.int32]
    scales: Single
    spline_width: float

    @property
    def nbytes(self) -> int:
        """Size of its arrays; factors count only where one is not 1."""
        factors = self.factors.nbytes if self.has_factors else 0
        return self.tables.nbytes + factors + self.biases.nbytes + self.scales.nbytes

    @property
    def grid(self) -> Grid:
        """Where the knots are."""
        return Grid(self.tables.shape[1], self.spline_width)

    @property
    def beyond(self) -> int:
        """255 E: how far beyond either end inputs are clipped."""
        return STEPS * spacings_beyond(self.tables.shape[1])

    def control_points(self) -> Array:
        """Return the control points (I, K, O) that the tables stand for, biases shared evenly."""
        scales = self.scales.astype(np.float64)
        steps = STEPS * scales * self.factors
        points: Array = self.tables * steps[:, None] + self.biases * scales / len(self.tables)
        return points

    @property
    def has_factors(self) -> bool:
        """Whether a factor is not 1."""
        return bool((self.factors != 1).any())

    def locate(self, x: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return intervals l and fractions f of inputs, each of their shape."""
        return _locate(x, self.grid)

    def sums(self, x: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Return the sums (..., O) of inputs (..., I); NaN counts as the left end."""
        x = np.asarray(x, np.float32)
        validate.last_dimension("QuantizedLayer.sums", "x", x.shape, self.tables.shape[0])
        intervals, fractions = self.locate(x)
        total = np.broadcast_to(self.biases.astype(np.int64), (*x.shape[:-1], len(self.biases)))
        total = total.copy()
        tables = self.tables.astype(np.int64)
        for i, table in enumerate(tables):
            left, f = intervals[..., i], fractions[..., i, None]
            total += self.factors[i] * ((STEPS - f) * table[left] + f * table[left + 1])
        return total.astype(np.int32)

    def forward(self, x: npt.ArrayLike) -> Single:
        """Evaluate at inputs (..., I), giving (..., O)."""
        x = np.asarray(x, np.float32)
        y = self.scales * self.sums(x).astype(np.float32)
        return np.where(np.isnan(x).any(-1, keepdims=True), np.float32(np.nan), y)


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """Layers in integers, normalisation in float32.

    Attributes:
        layers: One after the other.
        norm: What stands before each, one of `network.NORMS`.
        statistics: Mean and variance (I,) before each layer, for `"batch"`.
    """

    layers: Sequence[QuantizedLayer]
    norm: str = "none"
    statistics: Sequence[tuple[Single, Single]] = ()

    def forward(self, x: npt.ArrayLike) -> Single:
        """Evaluate at inputs (..., I), giving (..., O)."""
        y = np.asarray(x, np.float32)
        for n, layer in enumerate(self.layers):
            if self.norm == "layer":
                y = layer_norm(y).astype(np.float32)
            elif self.norm == "batch":
                y = normalise(y, *self.statistics[n]).astype(np.float32)
            y = layer.forward(y)
        return y


def _locate(x: npt.ArrayLike, grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    last = grid.num_control_points - 1
    beyond = STEPS * spacings_beyond(grid.num_control_points)
    single = np.float32
    with np.errstate(over="ignore"):
        v = (np.asarray(x, single) + single(grid.spline_width / 2)) * _rate(grid)
    v = np.where(np.isnan(v), single(0), v).clip(single(-beyond), single(STEPS * last + beyond))
    p = np.floor(v + single(beyond + 0.5)).astype(np.int64) - beyond
    interval = (p // STEPS).clip(0, last - 1)
    return interval, p - STEPS * interval


def _rate(grid: Grid) -> np.float32:
    return np.float32(STEPS * grid.knots_per_unit)


def spacings_beyond(num_control_points: int) -> int:
    """Return E: how many knot spacings beyond either end inputs are clipped."""
    return num_control_points // 2
