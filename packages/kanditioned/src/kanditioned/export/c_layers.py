"""The functions of one layer in C: lines, splines of every edge, or those of the edges left.

A layer whose splines have two control points is a matrix and a bias. Where more than half of the
edges are constant, as pruning leaves them, only the others are in the tables, and the constants
are one number for each output. An input that is NaN or infinite gives NaN in the outputs of its
constant edges too, as the spec's c + t (c - c) does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kanditioned_spec.grid import Array

from .c_int8 import Integers
from .c_text import array, integers, number
from .program import Single, Stage


class Layout(Protocol):
    """How a layer is written."""

    @property
    def locates(self) -> bool:
        """Whether its function calls `locate`."""

    @property
    def bytes(self) -> int:
        """Size of its tables."""

    def tables(self, n: int, storage: str) -> str:
        """Return the declarations of the tables of layer n."""

    def function(self, n: int) -> str:
        """Return the function `layer_n(x, y)`."""


def layer_of(stage: Stage) -> Layout:
    """Choose how a layer is written."""
    if stage.integers is not None:
        return Integers(stage.integers)
    points = stage.control_points
    varying = (points != points[:, :1]).any(1)
    if points.shape[1] == 2 or not varying.any():
        return Lines(replace(stage, control_points=points[:, :2]))
    return Few(stage, varying) if 2 * varying.sum() < varying.size else Full(stage)


@dataclass(frozen=True, eq=False)
class Lines:
    """Two control points: y = bias + Σ_i slope_i x_i, a residual matrix among the slopes."""

    stage: Stage
    locates: bool = False

    @property
    def bytes(self) -> int:
        return 4 * (self.stage.in_features + 1) * self.stage.out_features

    def tables(self, n: int, storage: str) -> str:
        points = self.stage.control_points.astype(np.float64)
        slope = (points[:, 1] - points[:, 0]) / self.stage.spline_width
        if self.stage.residual is not None:
            slope = slope + self.stage.residual.T
        bias = points.mean(1).sum(0)
        return array(f"bias_{n}", bias, storage) + array(f"slope_{n}", slope, storage)

    def function(self, n: int) -> str:
        inputs, outputs = self.stage.in_features, self.stage.out_features
        return f"""\
/* Two control points are a straight line: y[o] = bias[o] + sum over i of slope[i][o] x[i]. */
{_signature(n)}
{{
    int i, o;
    for (o = 0; o < {outputs}; ++o)
        y[o] = bias_{n}[o];
    for (i = 0; i < {inputs}; ++i)
        for (o = 0; o < {outputs}; ++o)
            y[o] += slope_{n}[i][o] * x[i];
}}
"""


@dataclass(frozen=True, eq=False)
class Full:
    """All edges: control points [input][knot][output]."""

    stage: Stage
    locates: bool = True

    @property
    def bytes(self) -> int:
        return int(self.stage.control_points.nbytes) + _residual_bytes(self.stage)

    def tables(self, n: int, storage: str) -> str:
        return array(f"points_{n}", self.stage.control_points, storage) + _weights(
            self.stage, n, storage
        )

    def function(self, n: int) -> str:
        inputs, _, outputs = self.stage.control_points.shape
        beside = "" if self.stage.residual is None else ",\n   and a matrix beside the splines"
        return f"""\
/* y[o] = sum over i of low + t (high - low), between the control points around x[i]{beside}. */
{_signature(n)}
{{
    int i, o;
    for (o = 0; o < {outputs}; ++o)
        y[o] = 0.0f;
    for (i = 0; i < {inputs}; ++i) {{
        float t;
        const int l = {_locate(self.stage)};
        const float *low = points_{n}[i][l];
        const float *high = points_{n}[i][l + 1];
        for (o = 0; o < {outputs}; ++o)
            y[o] += low[o] + t * (high[o] - low[o]){_residual(self.stage, n)};
    }}
}}
"""


@dataclass(frozen=True, eq=False)
class Few:
    """The edges that vary: for each input its outputs, and their control points [knot][edge]."""

    stage: Stage
    varying: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    locates: bool = True

    @property
    def bytes(self) -> int:
        edges, count = int(self.varying.sum()), self.stage.control_points.shape[1]
        small = 4 * (self.stage.out_features + self.stage.in_features + 1) + 2 * edges
        return 4 * edges * int(count) + small + _residual_bytes(self.stage)

    @property
    def bias(self) -> Array:
        """Sum of the constant edges, shape (O,)."""
        constants = self.stage.control_points[:, 0].astype(np.float64)
        total: Array = np.where(self.varying, 0.0, constants).sum(0)
        return total

    def tables(self, n: int, storage: str) -> str:
        packed: list[Single] = [
            self.stage.control_points[i][:, kept].ravel() for i, kept in enumerate(self.varying)
        ]
        begins = np.concatenate([[0], np.cumsum(self.varying.sum(1))])
        outputs = np.concatenate([np.flatnonzero(kept) for kept in self.varying])
        return (
            array(f"bias_{n}", self.bias, storage)
            + integers(f"begin_{n}", begins, storage, "int32_t")
            + integers(f"output_{n}", outputs, storage, "uint16_t")
            + array(f"points_{n}", np.concatenate(packed), storage)
            + _weights(self.stage, n, storage)
        )

    def function(self, n: int) -> str:
        inputs, count, outputs = self.stage.control_points.shape
        edges = f"{int(self.varying.sum())} of {self.varying.size}"
        return f"""\
/* The {edges} edges that are not constant: those of input i are numbers begin[i] to
   begin[i + 1] - 1. Each is low + t (high - low), between the control points around x[i].
   The constants of all others are in bias. */
{_signature(n)}
{{
    int i, o;
    int32_t e;
    for (o = 0; o < {outputs}; ++o)
        y[o] = bias_{n}[o];
    for (i = 0; i < {inputs}; ++i) {{
        float t;
        const int l = {_locate(self.stage)};
        const int32_t begin = begin_{n}[i], edges = begin_{n}[i + 1] - begin;
        const float *low = points_{n} + {count} * begin + l * edges;
        const float *high = low + edges;
        for (e = 0; e < edges; ++e)
            y[output_{n}[begin + e]] += low[e] + t * (high[e] - low[e]);
        if (!(fabsf(t) <= 3.4028235e38f)) /* t times 0 is NaN then, for a constant edge too */
            for (o = 0, e = 0; o < {outputs}; ++o) {{
                if (e < edges && output_{n}[begin + e] == o)
                    ++e;
                else
                    y[o] += t * 0.0f;
            }}
{_add_residual(self.stage, n)}    }}
}}
"""


def _signature(n: int) -> str:
    return f"static void layer_{n}(const float *restrict x, float *restrict y)"


def _locate(stage: Stage) -> str:
    grid = stage.grid
    half, rate = number(stage.spline_width / 2), number(grid.knots_per_unit)
    return f"locate(x[i], {grid.num_control_points}, {half}, {rate}, &t)"


def _residual_bytes(stage: Stage) -> int:
    return 0 if stage.residual is None else int(stage.residual.nbytes)


def _weights(stage: Stage, n: int, storage: str) -> str:
    return "" if stage.residual is None else array(f"weight_{n}", stage.residual.T, storage)


def _residual(stage: Stage, n: int) -> str:
    """Return what an edge adds beside its spline: weight[input][output] times the input."""
    return "" if stage.residual is None else f" + weight_{n}[i][o] * x[i]"


def _add_residual(stage: Stage, n: int) -> str:
    if stage.residual is None:
        return ""
    return f"""\
        for (o = 0; o < {stage.out_features}; ++o)
            y[o] += weight_{n}[i][o] * x[i];
"""
