"""The layer and its derivatives, against the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kanditioned_spec import Backend, Problem
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import GRADIENTS, CompleteBackend

from ..cases import Arrays, Case, Floats
from ..layouts import laid_out
from ..oracle import Oracle, Wanted
from ..tolerance import ConformanceError, Explain, Ratios, Traits, compare
from .base import expect_untouched, needs

SECOND = ("second x", "second control points", "second grad y")
LABELS = dict(zip(GRADIENTS, ("grad x", "grad control points"), strict=True))


def check_forward(backend: Backend, case: Case) -> Ratios:
    """Compare y."""
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    got = backend.forward(p, a.x, a.control_points)
    (want,), (condition,) = oracle.forward(a.x, a.control_points)
    traits = {name: np.asarray(of.any(-1, keepdims=True)) for name, of in _traits(p, a).items()}
    return compare("value", p, got, want, condition, _row(p, a), oracle.operands, traits)


@needs("vjp", gradients=("x",))
def check_grad_x(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare the gradient of x: of inputs off the knots, or exactly on them."""
    return _compare_gradient("x", backend, case)


@needs("vjp", gradients=("control_points",))
def check_grad_control_points(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare the gradient of the control points."""
    return _compare_gradient("control_points", backend, case)


def check_leading_shape(backend: CompleteBackend, case: Case, shape: tuple[int, ...]) -> Ratios:
    """Compare y and the declared gradients for x of shape (*shape, I), with as many rows.

    The layout is that of the arrays of this shape.
    """
    p, a = case.problem, replace(case, layout="contiguous").arrays()
    oracle = Oracle(backend.info, p)
    x, gy = a.x.reshape(*shape, p.in_features), a.grad_y.reshape(*shape, p.out_features)
    x, c, gy, *_ = laid_out(a._replace(x=x, grad_y=gy), case.layout)
    y = backend.forward(p, x, c)
    (want,), (condition,) = oracle.forward(x, c)
    ratios = compare("value", p, y, want, condition, operands=oracle.operands)
    for name in gradients_of(backend):
        got = gradient(name, backend.vjp(p, x, c, gy))
        want, condition = _of(name, oracle.vjp(x, c, gy))
        ratios |= compare(LABELS[name], p, got, want, condition, operands=oracle.operands)
    return ratios


@needs("feature_major")
def check_feature_major(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare y and the declared gradients for x of shape (I, B)."""
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    with expect_untouched("feature_major", *a):
        y, *gradients = backend.feature_major(p, a.x.T, a.control_points, a.grad_y.T)
    (want,), (condition,) = oracle.forward(a.x, a.control_points)
    ratios = compare(
        "value", p, y, want.T, condition.T, _transpose_explanation(_row(p, a)), oracle.operands
    )
    explained = {"x": _transpose_explanation(_slopes(p, a)), "control_points": _contributions(p, a)}
    for name in backend.info.gradients:
        wanted = _of(name, oracle.vjp(a.x, a.control_points, a.grad_y))
        want, condition = (array.T if name == "x" else array for array in wanted)
        got = gradient(name, tuple(gradients))
        explain = explained[name]
        ratios |= compare(LABELS[name], p, got, want, condition, explain, oracle.operands)
    return ratios


@needs("vjp_of_vjp")
def check_second_derivatives(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare all three results of `vjp_of_vjp`."""
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    explained = (_slopes(p, a), _contributions(p, a), _row(p, a))
    ratios: Ratios = {}
    found = second_derivatives(backend, p, a, oracle)
    for (label, got, want, condition), explain in zip(found, explained, strict=True):
        ratios |= compare(label, p, got, want, condition, explain, oracle.operands)
    return ratios


class Second(NamedTuple):
    """One result of `vjp_of_vjp`, what it should be, and the condition of that."""

    label: str
    got: Floats
    want: Array
    condition: Array


def second_derivatives(
    backend: CompleteBackend, p: Problem, a: Arrays, oracle: Oracle
) -> list[Second]:
    """Call `vjp_of_vjp` and the reference."""
    given = (a.x, a.control_points, a.grad_y, a.cotangent_x, a.cotangent_control_points)
    got = backend.vjp_of_vjp(p, *given)
    every = zip(SECOND, got, *oracle.vjp_of_vjp(*given), strict=True)
    return [Second(*each) for each in every]


def gradients_of(backend: Backend) -> tuple[str, ...]:
    """Return what a backend's `vjp` differentiates by; nothing if it has none."""
    return backend.info.gradients if hasattr(backend, "vjp") else ()


def gradient(name: str, results: Any) -> Any:
    """Return one of the two results of `vjp`.

    Raises:
        ConformanceError: They are no pair, or the one that is declared is None.
    """
    if not isinstance(results, tuple | list) or len(results) != len(GRADIENTS):
        message = f"it must return a pair, for {' and '.join(GRADIENTS)}, got {type(results)}"
        raise ConformanceError("vjp", np.inf, message)
    result = results[GRADIENTS.index(name)]
    if result is None:
        message = f"it is None, but `info.gradients` names {name!r}"
        raise ConformanceError(LABELS[name], np.inf, message)
    return result


def _compare_gradient(name: str, backend: CompleteBackend, case: Case) -> Ratios:
    p, a = case.problem, case.arrays()
    oracle = Oracle(backend.info, p)
    got = gradient(name, backend.vjp(p, a.x, a.control_points, a.grad_y))
    want, condition = _of(name, oracle.vjp(a.x, a.control_points, a.grad_y))
    explain, traits = _contributions(p, a), None
    if name == "x":
        explain, traits = _slopes(p, a), _traits(p, a)
    return compare(LABELS[name], p, got, want, condition, explain, oracle.operands, traits)


def _of(name: str, wanted: Wanted) -> tuple[Array, Array]:
    """Return value and condition of one gradient."""
    index = GRADIENTS.index(name)
    return wanted.values[index], wanted.conditions[index]


def _traits(p: Problem, a: Arrays) -> Traits:
    """Return which inputs (B, I) are of a kind that one fault may be about."""
    distance = np.abs(a.x.astype(np.float64)) - p.spline_width / 2
    u = p.grid.position(a.x)
    return {
        "of inputs outside the domain": distance > 0,
        "of inputs at an end of the domain": distance == 0,
        "of inputs on knots": np.isfinite(u) & (u == np.rint(u)),
        "of inputs that are not finite": ~np.isfinite(a.x),
    }


def _row(p: Problem, a: Arrays) -> Explain:
    """Return what tells the inputs that add up to an entry of y."""
    shown = range(min(p.in_features, 6))
    return lambda at: "\n".join(_input(p, a, at[0], i, at[1]) for i in shown)


def _transpose_explanation(explain: Explain) -> Explain:
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
    interval, fraction = p.grid.locate(x)
    left, right = a.control_points[i, interval : interval + 2, o]
    return (
        f"  x[{b}, {i}] = {x!r}: interval {interval}, fraction {fraction:.9g}, "
        f"control_points[{i}, {interval}:{interval + 2}, {o}] = {left!s}, {right!s}"
    )


def _contributions(p: Problem, a: Arrays) -> Explain:
    """Return what tells the rows that add to an entry of the control points' gradient."""

    def explain(at: tuple[int, ...]) -> str:
        i, knot, o = at
        interval, _ = p.grid.locate(a.x[:, i])
        rows = np.flatnonzero((interval == knot) | (interval == knot - 1))
        lines = [f"{_input(p, a, b, i, o)}, grad_y = {a.grad_y[b, o]!s}" for b in rows[:6]]
        return "\n".join([f"  {len(rows)} rows reach knot {knot} of feature {i}", *lines])

    return explain
