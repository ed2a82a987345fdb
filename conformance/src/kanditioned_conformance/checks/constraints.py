"""Edges that are monotone or convex."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Problem, initializers, numerics, refinement
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import CompleteBackend
from kanditioned_spec.rounding import round_to

from ..cases import Case, Floats
from ..tolerance import ConformanceError, Ratios, compare, describe, judge
from .base import expect_own_memory, expect_untouched, needs


@needs("feasible")
def check_feasible(backend: CompleteBackend, case: Case, monotone: int, convex: int) -> Ratios:
    """Compare feasible points; none is off its order by one rounding, and they are fixed points."""
    p, (_, c) = _with_shapes(case, monotone, convex), case.parameter_arrays()
    with expect_untouched("feasible", c):
        points, _ = backend.feasible(p, c, np.zeros_like(c))
    _check_order(p, points)
    fixed = round_to(_feasible_points(p), p.dtype)
    again, _ = backend.feasible(p, fixed, np.zeros_like(c))
    expect_own_memory("feasible", again, fixed)
    condition = numerics.shape_condition(c, p.shapes)
    return judge("fixed points", p, again, _feasible_points(p), np.zeros(c.shape)) | compare(
        "feasible points", p, points, p.shapes.feasible(c), condition
    )


@needs("feasible")
def check_feasible_gradient(
    backend: CompleteBackend, case: Case, monotone: int, convex: int
) -> Ratios:
    """Compare the gradient by the free points.

    They are different whole numbers, so that no rounding decides which of them are vertices.
    """
    p, (_, grad) = _with_shapes(case, monotone, convex), case.parameter_arrays()
    c = np.random.default_rng(case.seed).random(grad.shape).argsort(axis=1).astype(np.float64)
    with expect_untouched("feasible", grad):
        _, got = backend.feasible(p, round_to(c, p.dtype), grad)
    total = p.num_control_points * np.abs(grad.astype(np.float64)).sum(1, keepdims=True)
    want, condition = p.shapes.vjp(c, grad), np.broadcast_to(total, grad.shape)
    return compare("gradient of feasible points", p, got, want, condition)


@needs("feasible", "refine")
def check_refined_shape(backend: CompleteBackend, case: Case, monotone: int, convex: int) -> Ratios:
    """Compare the refinement of free points with that of the feasible ones, and its order."""
    p, (_, c) = _with_shapes(case, monotone, convex), case.parameter_arrays()
    count = 2 * (p.num_control_points - 1) + 1
    matrix = refinement.refinement_matrix(p.num_control_points, count)
    return _compare_moved("refined feasible points", p, c, backend.refine(p, c, count), matrix)


@needs("feasible", "widen")
def check_widened_shape(backend: CompleteBackend, case: Case, monotone: int, convex: int) -> Ratios:
    """Compare likewise what a wider domain has."""
    p, (_, c) = _with_shapes(case, monotone, convex), case.parameter_arrays()
    matrix = refinement.widening_matrix(p.num_control_points, 2)
    return _compare_moved("widened feasible points", p, c, backend.widen(p, c, 2)[0], matrix)


@needs("feasible", "initial_control_points")
def check_initial_shape(backend: CompleteBackend, case: Case, monotone: int) -> Ratios:
    """Check that initial functions rise or fall as they must, and the norm of their slopes."""
    some, ratios = _with_shapes(case, monotone, 0), {}
    for p in (some, replace(some, monotone=(monotone,) * some.in_features)):
        got = backend.initial_control_points(p, "random_normal", case.seed)
        _check_order(p, got)
        c = np.asarray(got, dtype=np.float64)
        slopes = (c[:, -1] - c[:, 0]) / np.ptp(p.grid.knots())
        norms = np.linalg.norm(slopes, axis=0, ord=initializers.norm_order(p.monotone))
        each = numerics.tolerance(np.abs(slopes), slopes, p.dtype) * 2 / min(p.spline_width, 1.0)
        ratios = judge("norm of slopes", p, norms, np.ones_like(norms), each.sum(axis=0))
    return ratios


def _compare_moved(label: str, p: Problem, c: Floats, got: Floats, matrix: Array) -> Ratios:
    """Compare points that are a matrix times the feasible ones of c, and check their order."""
    _check_order(p, got)
    want = matrix @ p.shapes.feasible(c)
    largest = np.abs(want).max(1, keepdims=True)
    rounding = 2 * numerics.shape_condition(c, p.shapes).max(1, keepdims=True)
    stored = numerics.FORMATS[p.dtype].eps / numerics.compute_eps(p.dtype) * largest
    condition = np.broadcast_to(rounding + largest + stored, want.shape)
    return compare(label, p, got, want, condition)


def _with_shapes(case: Case, monotone: int, convex: int) -> Problem:
    """Return the problem with a shape of all features but the first, if there are several.

    A third feature has the opposite signs; there are four at most.
    """
    count = case.problem.in_features

    def signs(sign: int) -> tuple[int, ...]:
        return ((sign,) if count == 1 else (0, sign, -sign, sign)[:count]) if sign else ()

    return replace(case.problem, monotone=signs(monotone), convex=signs(convex))


def _feasible_points(p: Problem) -> Array:
    """Return points that have the shapes, and that every dtype holds: lines, flat or steep."""
    shape = (p.in_features, p.num_control_points, p.out_features)
    rising = np.arange(p.num_control_points, dtype=np.float64)[:, None]
    signs = np.array(p.shapes.monotone)[:, None, None]
    slopes = np.arange(p.out_features)
    return np.broadcast_to(signs * rising * slopes, shape).copy()


def _check_order(problem: Problem, points: npt.NDArray[np.floating]) -> None:
    found = problem.shapes.violations(points)
    if found:
        message = f"{found} increments have the wrong sign or order\n{describe(problem)}"
        raise ConformanceError("order of feasible points", np.inf, message)
