"""What a backend owes: results and the condition of every number, for what it declares.

The spec's law is `kanditioned_spec.reference`. A backend that declares another extrapolation is
judged by that one: `"constant"` evaluates at the nearer end of the domain, where nothing moves with
x; `"zero"` leaves out every feature whose input is outside. Knots that are kept as rounded numbers
add their part to the conditions: a difference of two neighbours is off by eps · K of itself, so
that a fraction is off by eps · K · |t| and a slope by eps · K of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kanditioned_spec import BackendInfo, Problem, numerics, reference
from kanditioned_spec.grid import Array, Grid

from .cases import finite


class Wanted(NamedTuple):
    """The results of one operation in its order, and the condition of each."""

    values: tuple[Array, ...]
    conditions: tuple[Array, ...]


class Oracle:
    """The results that a backend owes for a problem.

    Args:
        info: What the backend declares.
        problem: The layer.

    Attributes:
        operands: Format that the backend rounds factors to, if it declares one.
    """

    def __init__(self, info: BackendInfo, problem: Problem) -> None:
        self.problem = problem
        self.operands = info.operands.get(problem.dtype)
        self._width = problem.spline_width
        self._extrapolation = info.extrapolation
        self._drift = problem.num_control_points if info.stored_knots else 0
        self._share = numerics.position_share(problem.dtype, self.operands)

    def forward(self, x: npt.ArrayLike, c: npt.ArrayLike) -> Wanted:
        """Return y (..., O)."""
        return self._apply_extrapolation(self._forward, "y", x, c)

    def vjp(self, x: npt.ArrayLike, c: npt.ArrayLike, grad_y: npt.ArrayLike) -> Wanted:
        """Return the gradients of x (..., I) and of the control points (I, K, O)."""
        return self._apply_extrapolation(self._vjp, "xc", x, c, grad_y)

    def vjp_of_vjp(self, x: npt.ArrayLike, c: npt.ArrayLike, *along: npt.ArrayLike) -> Wanted:
        """Return the three results for grad_y and the cotangents of x and control points."""
        return self._apply_extrapolation(self._vjp_of_vjp, "xcy", x, c, *along)

    def _apply_extrapolation(
        self, operation: Callable[..., Wanted], kinds: str, *given: npt.ArrayLike
    ) -> Wanted:
        """Apply an operation under the declared extrapolation; `kinds` names its results."""
        x, *others = (np.asarray(array, dtype=np.float64) for array in given)
        end = self._width / 2
        inside = ~(np.abs(x) > end)  # of NaN too, which must come out again
        if self._extrapolation in ("linear", None) or inside.all():
            return operation(x, *others)
        if self._extrapolation == "zero":
            return self._zero_outside(operation, kinds, x, inside, *others)
        if len(others) > 2:  # the cotangent of x
            others[2] = others[2] * inside
        values, conditions = operation(x.clip(-end, end), *others)
        still = [inside if kind == "x" else 1.0 for kind in kinds]
        return Wanted(
            tuple(np.where(mask, value, 0) for value, mask in zip(values, still, strict=True)),
            conditions,
        )

    def _zero_outside(
        self, operation: Callable[..., Wanted], kinds: str, x: Array, inside: Any, *others: Any
    ) -> Wanted:
        """Apply an operation feature by feature, without the rows that are outside."""
        columns: list[list[tuple[Array, Array]]] = [[] for _ in kinds]
        for i in range(x.shape[-1]):
            here, one = inside[..., i, None], slice(i, i + 1)
            c, *along = others
            along = [  # grad_y, and the cotangents of x and of the control points
                np.where(here, along[0], 0) if n == 0 else (array[..., one], array[one])[n - 1]
                for n, array in enumerate(along)
            ]
            wanted = operation(np.where(here, x[..., one], 0), c[one], *along)
            for column, kind, *pair in zip(columns, kinds, *wanted, strict=True):
                masked = [np.where(here, each, 0) if kind != "c" else each for each in pair]
                column.append((masked[0], masked[1]))
        joined = []
        for column, kind in zip(columns, kinds, strict=True):
            parts = [list(part) for part in zip(*column, strict=True)]
            axis = {"x": -1, "c": 0}.get(kind)
            joined.append([sum(p) if axis is None else np.concatenate(p, axis) for p in parts])
        values, conditions = zip(*joined, strict=True)
        return Wanted(values, conditions)

    def _forward(self, x: Array, c: Array) -> Wanted:
        near = finite(x, self.problem)
        condition = numerics.forward_condition(near, c, self._width, self._share)
        if self._drift:
            condition = condition + self._drift * self._bent(near, c)
        return Wanted((reference.forward(x, c, self._width),), (condition,))

    def _vjp(self, x: Array, c: Array, grad_y: Array) -> Wanted:
        near = finite(x, self.problem)
        by_x, by_c = numerics.vjp_condition(near, c, self._width, grad_y, self._share)
        if self._drift:
            by_x = by_x * (1 + self._drift)
            by_c = by_c + self._drift * self._spread(near, c.shape, grad_y)
        return Wanted(tuple(reference.vjp(x, c, self._width, grad_y)), (by_x, by_c))

    def _vjp_of_vjp(self, x: Array, c: Array, grad_y: Array, v: Array, V: Array) -> Wanted:
        near, width = finite(x, self.problem), self._width
        by_x, by_c, by_y = numerics.vjp_of_vjp_condition(near, c, width, grad_y, v, V, self._share)
        if self._drift:
            slopes = numerics.jvp_condition(near, c, width, v)
            by_x, by_c = by_x * (1 + self._drift), by_c * (1 + self._drift)
            by_y = by_y + self._drift * (slopes + self._bent(near, V))
        values = reference.vjp_of_vjp(x, c, width, grad_y, v, V)
        return Wanted(tuple(values), (by_x, by_c, by_y))

    def _bent(self, x: Array, c: Array) -> Array:
        """Return Σ_i |t| |c_{l+1} - c_l|."""
        total = np.zeros((*x.shape[:-1], c.shape[2]))
        for i in range(c.shape[0]):
            interval, fraction = Grid(c.shape[1], self._width).locate(x[..., i])
            total += np.abs(fraction)[..., None] * np.abs(c[i, interval + 1] - c[i, interval])
        return total

    def _spread(self, x: Array, shape: tuple[int, ...], grad_y: Array) -> Array:
        """Return |t| |grad_y| added to both knots of every sample."""
        total = np.zeros(shape)
        for i in range(shape[0]):
            interval, fraction = Grid(shape[1], self._width).locate(x[..., i].reshape(-1))
            term = np.abs(fraction)[:, None] * np.abs(grad_y).reshape(-1, shape[2])
            np.add.at(total[i], interval, term)
            np.add.at(total[i], interval + 1, term)
        return total
