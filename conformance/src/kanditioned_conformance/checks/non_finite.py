"""Control points and incoming gradients that are not finite, and how far they reach.

Everything that such a number does not reach is right; what it reaches by the formulas is not
finite, so that nothing hides it. A backend that declares `spreads_non_finite` may have NaN in the
rest of one output feature, or of the gradient of one input feature, as a product with zeros gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Problem
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import CompleteBackend

from ..cases import Case
from ..oracle import Oracle
from ..tolerance import ConformanceError, Ratios, compare, describe
from .base import needs
from .layer import LABELS, gradient, gradients_of, second_derivatives

Mask = npt.NDArray[np.bool_]


def check_control_point(backend: CompleteBackend, case: Case, value: float) -> Ratios:
    """Put a value into a control point that some row reads, and compare value and gradients."""
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    row, i, o = _choose_entry(case)
    knot, _ = p.grid.locate(a.x[row, i])
    poisoned = a.control_points.copy()
    poisoned[i, knot, o] = value
    spreads = backend.info.spreads_non_finite
    with np.errstate(invalid="ignore"):
        (want,), _ = oracle.forward(a.x, poisoned)
        _, (condition,) = oracle.forward(a.x, a.control_points)
        got = backend.forward(p, a.x, poisoned.copy())
    outside = _outside(case, a.x)
    free = np.broadcast_to(outside.any(axis=-1, keepdims=True), want.shape)
    may = _along(want, -1, o, spreads)
    ratios = _compare_reach("value", p, got, want, condition, may, oracle, free)
    for name in gradients_of(backend):
        with np.errstate(invalid="ignore"):
            wanted = oracle.vjp(a.x, poisoned, a.grad_y)
            results = backend.vjp(p, a.x, poisoned.copy(), a.grad_y)
        conditions = oracle.vjp(a.x, a.control_points, a.grad_y).conditions
        index = list(LABELS).index(name)
        want, may = (
            wanted.values[index],
            _along(wanted.values[index], -1, i, spreads and name == "x"),
        )
        free = outside if name == "x" else np.zeros(want.shape, dtype=bool)
        got = gradient(name, results)
        ratios |= _compare_reach(LABELS[name], p, got, want, conditions[index], may, oracle, free)
    return ratios


@needs("vjp")
def check_grad_y(backend: CompleteBackend, case: Case, value: float) -> Ratios:
    """Put a value into one entry of grad_y, and compare the gradients."""
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    row, _, o = _choose_entry(case)
    poisoned = a.grad_y.copy()
    poisoned[row, o] = value
    with np.errstate(invalid="ignore"):
        wanted = oracle.vjp(a.x, a.control_points, poisoned)
        results = backend.vjp(p, a.x, a.control_points, poisoned.copy())
    conditions = oracle.vjp(a.x, a.control_points, a.grad_y).conditions
    spreads = backend.info.spreads_non_finite
    ratios: Ratios = {}
    for name in gradients_of(backend):
        index = list(LABELS).index(name)
        want, got = wanted.values[index], gradient(name, results)
        may = _along(want, -1, o, spreads and name == "control_points")
        free = _outside(case, a.x) if name == "x" else np.zeros(want.shape, dtype=bool)
        ratios |= _compare_reach(LABELS[name], p, got, want, conditions[index], may, oracle, free)
    return ratios


@needs("vjp_of_vjp")
def check_second_derivatives_of_nan(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare what NaN in x does not reach: other rows, and knots that none of them falls on."""
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    ratios: Ratios = {}
    for label, got, want, condition in second_derivatives(backend, p, a, oracle):
        reached = ~np.isfinite(want)
        ratios |= _compare_reach(label, p, got, want, condition, reached, oracle, free=reached)
    return ratios


def _choose_entry(case: Case) -> tuple[int, int, int]:
    """Return the row, the input and the output feature that the number is about."""
    p = case.problem
    return case.seed % p.batch, case.seed % p.in_features, case.seed % p.out_features


def _along(want: Array, axis: int, index: int, spreads: bool) -> Mask:
    """Return the entries that may be NaN besides those that the formulas make so."""
    mask = np.zeros(want.shape, dtype=bool)
    if spreads:
        mask[(..., index) if axis == -1 else index] = True
    return mask


def _outside(case: Case, x: npt.ArrayLike) -> Mask:
    """Return the inputs outside the domain, if extrapolation is not the spec's.

    A constant may or may not be computed as 0 · ∞ there, and the neighbour of its end be read.
    """
    beyond = np.abs(np.asarray(x)) > case.problem.spline_width / 2
    return np.asarray(beyond & (case.extrapolation != "linear"))


def _compare_reach(
    label: str,
    p: Problem,
    got: Any,
    want: Array,
    condition: Array,
    may: Mask,
    oracle: Oracle,
    free: Mask,
) -> Ratios:
    """Compare what is not reached; what the formulas make not finite must not be finite.

    Args:
        may: Entries that may be NaN as well.
        free: Entries that are not judged.
    """
    got = np.asarray(got, dtype=np.float64)
    must = ~np.isfinite(want) & ~free
    if got.shape == want.shape:
        hidden = must & np.isfinite(got)
        if hidden.any():
            at = [int(i) for i in np.argwhere(hidden)[0]]
            message = f"at {at} got {got[tuple(at)]!s}, which hides that it is {want[tuple(at)]!s}"
            raise ConformanceError(label, np.inf, f"{message}\n{describe(p)}")
        excused = must | free | (may & ~np.isfinite(got))
        got, want = np.where(excused, 0.0, got), np.where(excused, 0.0, want)
    return compare(label, p, got, want, condition, operands=oracle.operands)
