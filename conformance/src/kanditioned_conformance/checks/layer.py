"""The layer and its derivatives, against the reference."""

from __future__ import annotations

import numpy as np

from kanditioned_spec import Backend, Problem, numerics, reference
from kanditioned_spec.grid import locate
from kanditioned_spec.protocol import CompleteBackend

from ..cases import Arrays, Case, finite
from ..tolerance import Explain, Ratios, compare
from .base import needs


def check_forward(backend: Backend, case: Case) -> Ratios:
    """Compare y."""
    p, a = case.problem, case.arrays()
    got = backend.forward(p, a.x, a.control_points)
    want = reference.forward(a.x, a.control_points, p.spline_width)
    operands, share = _operands(backend, p)
    condition = numerics.forward_condition(finite(a.x, p), a.control_points, p.spline_width, share)
    return compare("value", p, got, want, condition, _row(p, a), operands)


def check_grad_x(backend: Backend, case: Case) -> Ratios:
    """Compare the gradient of x: of inputs off the knots, or exactly on them."""
    p, a = case.problem, case.arrays()
    got, _ = backend.vjp(p, a.x, a.control_points, a.grad_y)
    want = reference.vjp(a.x, a.control_points, p.spline_width, a.grad_y).x
    condition = numerics.vjp_condition(finite(a.x, p), a.control_points, p.spline_width, a.grad_y)
    operands, _ = _operands(backend, p)
    return compare("grad x", p, got, want, condition.x, _slopes(p, a), operands)


def check_grad_control_points(backend: Backend, case: Case) -> Ratios:
    """Compare the gradient of the control points."""
    p, a = case.problem, case.arrays()
    _, got = backend.vjp(p, a.x, a.control_points, a.grad_y)
    want = reference.vjp(a.x, a.control_points, p.spline_width, a.grad_y).control_points
    operands, share = _operands(backend, p)
    condition = numerics.vjp_condition(
        finite(a.x, p), a.control_points, p.spline_width, a.grad_y, share
    ).control_points
    return compare("grad control points", p, got, want, condition, _contributions(p, a), operands)


def check_leading_shape(backend: Backend, case: Case, shape: tuple[int, ...]) -> Ratios:
    """Compare y and both gradients for x of shape (*shape, I), with as many rows as the batch."""
    p, a = case.problem, case.arrays()
    x = a.x.reshape(*shape, p.in_features)
    gy = a.grad_y.reshape(*shape, p.out_features)
    operands, share = _operands(backend, p)
    layer = (x, a.control_points, p.spline_width)
    y, want_y = backend.forward(p, x, a.control_points), reference.forward(*layer)
    condition_y = numerics.forward_condition(*layer, share)
    ratios = compare("value", p, y, want_y, condition_y, operands=operands)
    got, want = backend.vjp(p, x, a.control_points, gy), reference.vjp(*layer, gy)
    condition = numerics.vjp_condition(*layer, gy, share)
    for label, g, w, c in zip(("grad x", "grad control points"), got, want, condition, strict=True):
        ratios |= compare(label, p, g, w, c, operands=operands)
    return ratios


@needs("feature_major")
def check_feature_major(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare y and both gradients for x of shape (I, B)."""
    p, a = case.problem, case.arrays()
    layer = (a.x, a.control_points, p.spline_width)
    operands, share = _operands(backend, p)
    y, gx, gc = backend.feature_major(p, a.x.T, a.control_points, a.grad_y.T)
    want_y, want = reference.forward(*layer), reference.vjp(*layer, a.grad_y)
    condition_y = numerics.forward_condition(*layer, share)
    condition = numerics.vjp_condition(*layer, a.grad_y, share)
    row, slopes = _turned(_row(p, a)), _turned(_slopes(p, a))
    return {
        **compare("value", p, y, want_y.T, condition_y.T, row, operands),
        **compare("grad x", p, gx, want.x.T, condition.x.T, slopes, operands),
        **compare(
            "grad control points",
            p,
            gc,
            want.control_points,
            condition.control_points,
            _contributions(p, a),
            operands,
        ),
    }


@needs("vjp_of_vjp")
def check_second_derivatives(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare all three results of `vjp_of_vjp`."""
    p, a = case.problem, case.arrays()
    cotangents = (a.grad_y, a.cotangent_x, a.cotangent_control_points)
    operands, share = _operands(backend, p)
    got = backend.vjp_of_vjp(p, a.x, a.control_points, *cotangents)
    want = reference.vjp_of_vjp(a.x, a.control_points, p.spline_width, *cotangents)
    condition = numerics.vjp_of_vjp_condition(
        finite(a.x, p), a.control_points, p.spline_width, *cotangents, share
    )
    labels = ("second x", "second control points", "second grad y")
    explained = (_slopes(p, a), _contributions(p, a), _row(p, a))
    ratios: Ratios = {}
    for label, *(g, w, c), explain in zip(labels, got, want, condition, explained, strict=True):
        ratios |= compare(label, p, g, w, c, explain, operands)
    return ratios


def _operands(backend: Backend, p: Problem) -> tuple[str | None, float]:
    """Return the format that factors are rounded to, and the weight of positions beside it."""
    operands = backend.info.operands.get(p.dtype)
    return operands, numerics.position_share(p.dtype, operands)


def _row(p: Problem, a: Arrays) -> Explain:
    """Return what tells the inputs that add up to an entry of y."""
    shown = range(min(p.in_features, 6))
    return lambda at: "\n".join(_input(p, a, at[0], i, at[1]) for i in shown)


def _turned(explain: Explain) -> Explain:
    """Return what tells the same of an entry of the transpose."""
    return lambda at: explain(at[::-1])


def _slopes(p: Problem, a: Arrays) -> Explain:
    """Return what tells the input and the cotangents of an entry of the gradient of x."""
    shown = range(min(p.out_features, 6))

    def explain(at: tuple[int, ...]) -> str:
        b, i = at
        return "\n".join(f"{_input(p, a, b, i, o)}, grad_y = {a.grad_y[b, o]!s}" for o in shown)

    return explain


def _input(p: Problem, a: Arrays, b: int, i: int, o: int) -> str:
    """Say where an input falls and between which control points."""
    x = float(a.x[b, i])
    interval, fraction = locate(x, p.num_control_points, p.spline_width)
    left, right = a.control_points[i, interval : interval + 2, o]
    return (
        f"  x[{b}, {i}] = {x!r}: interval {interval}, fraction {fraction:.9g}, "
        f"control_points[{i}, {interval}:{interval + 2}, {o}] = {left!s}, {right!s}"
    )


def _contributions(p: Problem, a: Arrays) -> Explain:
    """Return what tells the rows that add to an entry of the control points' gradient."""

    def explain(at: tuple[int, ...]) -> str:
        i, knot, o = at
        interval, _ = locate(a.x[:, i], p.num_control_points, p.spline_width)
        rows = np.flatnonzero((interval == knot) | (interval == knot - 1))
        lines = [f"{_input(p, a, b, i, o)}, grad_y = {a.grad_y[b, o]!s}" for b in rows[:6]]
        return "\n".join([f"  {len(rows)} rows reach knot {knot} of feature {i}", *lines])

    return explain
