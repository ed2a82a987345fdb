"""Input maps, and edges that are monotone or convex."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kanditioned_spec import InputMap, Problem, numerics, refinement
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import CompleteBackend
from kanditioned_spec.rounding import rounded

from ..cases import Case
from ..tolerance import ConformanceError, Ratios, compare, described, judge
from .base import check_own, needs, untouched

DAY = 1.7e9 + 60.0 * np.arange(1440)[:, None] + [0.0, 6e8]
"""The minutes of two days, in seconds since 1970: float32 knows such numbers to 128 seconds."""
DYADIC = InputMap([[-2.0, -1.0, 0.5, 4.0]], [[-4.0, 0.0, 0.75, 1.0]])
"""A map whose breakpoints every dtype holds."""
OF_TWO = InputMap(
    [[-2.0, -1.0, 0.5, 4.0], [-3.0, -1.5, 0.0, 8.0]],
    [[-4.0, 0.0, 0.75, 1.0], [-1.0, 2.0, 2.5, 3.0]],
)
"""A map of two features that are mapped differently, likewise."""


@needs("map_input")
def check_map_input(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare z on data and breakpoints and far outside, and check that it never falls."""
    p, data = case.problem, _data(case)
    numbers = InputMap.quantiles(data, 9)
    end = 50.0 if p.dtype == "float16" else 1e3  # float16 ends at 65504, and z may be steep
    far = np.array([[-end], [-1.0], [1.0], [end]]) * np.ptp(data, axis=0) + data.mean(0)
    x = np.sort(rounded(np.concatenate([data, far, numbers.breakpoints.T]), p.dtype), axis=0)
    z, _ = backend.map_input(numbers, x, np.ones_like(x), p.dtype)
    falls = np.argwhere(np.diff(np.asarray(z, np.float64), axis=0) < 0)
    if falls.size:
        got = f"z falls between two inputs of feature {falls[0, 1]}\n{described(p)}"
        raise ConformanceError("input map", np.inf, got)
    given = x.astype(np.float64)
    condition = numerics.input_map_condition(given, numbers)
    return compare("input map", p, z, numbers(given), condition)


@needs("map_input")
def check_map_slope(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare the gradient by x, on breakpoints too: there it is that of the piece on the right."""
    p = case.problem
    x = np.tile([[-3.0], [-2.0], [-1.5], [-1.0], [0.0], [0.5], [1.0], [4.0], [8.0]], 2)
    grad = rounded(np.random.default_rng(case.seed).normal(size=x.shape), p.dtype)
    given = rounded(x, p.dtype)
    with untouched("map_input", given, grad):
        _, got = backend.map_input(OF_TWO, given, grad, p.dtype)
    want = grad * OF_TWO.slope(x)
    return compare("slope of the input map", p, got, want, np.abs(want))


@needs("map_input")
def check_map_offset(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare z of float64 inputs far off zero, whose offset is not to be rounded to the dtype."""
    p, numbers = case.problem, InputMap.quantiles(DAY, 16)
    z, _ = backend.map_input(numbers, DAY, np.ones_like(DAY), p.dtype)
    condition = numerics.input_map_condition(DAY, numbers)
    return compare("input map of times", p, z, numbers(DAY), condition)


@needs("map_input")
def check_map_non_finite(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that NaN gives NaN, in the gradient too, and infinities themselves."""
    p, x = case.problem, np.array([[np.nan], [np.inf], [-np.inf], [-1.0]])
    z, slope = backend.map_input(DYADIC, rounded(x, p.dtype), np.ones_like(x), p.dtype)
    zero, rising = np.zeros(x.shape), DYADIC.slope(x)
    rounding = numerics.tolerance(rising, rising, p.dtype)
    return judge("input map of NaN and infinity", p, z, DYADIC(x), zero) | judge(
        "its slope", p, slope, rising, rounding
    )


@needs("feasible")
def check_feasible(backend: CompleteBackend, case: Case, monotone: int, convex: int) -> Ratios:
    """Compare feasible points; none is off its order by one rounding, and they are fixed points."""
    p, (_, c) = _shaped(case, monotone, convex), case.parameter_arrays()
    with untouched("feasible", c):
        points, _ = backend.feasible(p, c, np.zeros_like(c))
    _check_order(p, points)
    fixed = rounded(_fixed(p), p.dtype)
    again, _ = backend.feasible(p, fixed, np.zeros_like(c))
    check_own("feasible", again, fixed)
    condition = numerics.shape_condition(c, p.shapes)
    return judge("fixed points", p, again, _fixed(p), np.zeros(c.shape)) | compare(
        "feasible points", p, points, p.shapes.feasible(c), condition
    )


@needs("feasible")
def check_feasible_gradient(
    backend: CompleteBackend, case: Case, monotone: int, convex: int
) -> Ratios:
    """Compare the gradient by the free points.

    They are different whole numbers, so that no rounding decides which of them are vertices.
    """
    p, (_, grad) = _shaped(case, monotone, convex), case.parameter_arrays()
    c = np.random.default_rng(case.seed).random(grad.shape).argsort(axis=1).astype(np.float64)
    _, got = backend.feasible(p, rounded(c, p.dtype), grad)
    total = p.num_control_points * np.abs(grad.astype(np.float64)).sum(1, keepdims=True)
    want, condition = p.shapes.vjp(c, grad), np.broadcast_to(total, grad.shape)
    return compare("gradient of feasible points", p, got, want, condition)


@needs("feasible", "refine")
def check_refined_shape(backend: CompleteBackend, case: Case, monotone: int, convex: int) -> Ratios:
    """Compare the refinement of free points with that of the feasible ones, and its order."""
    p, (_, c) = _shaped(case, monotone, convex), case.parameter_arrays()
    count = 2 * (p.num_control_points - 1) + 1
    got = backend.refine(p, c, count)
    _check_order(p, got)
    want = refinement.refine(p.shapes.feasible(c), count)
    largest = np.abs(want).max(1, keepdims=True)
    rounding = 2 * numerics.shape_condition(c, p.shapes).max(1, keepdims=True)
    stored = numerics.FORMATS[p.dtype].eps / numerics.compute_eps(p.dtype) * largest
    condition = np.broadcast_to(rounding + largest + stored, want.shape)
    return compare("refined feasible points", p, got, want, condition)


def _data(case: Case) -> Array:
    """Return a column each of skewed, tied, few and far values."""
    rng = np.random.default_rng(case.seed)
    columns = (
        rng.lognormal(0, 1.5, 200),
        np.where(rng.random(200) < 0.5, 0.0, rng.normal(size=200)),
        rng.integers(0, 3, 200).astype(float),
        1000 + rng.normal(size=200),
    )
    return np.stack(columns, axis=1)


def _shaped(case: Case, monotone: int, convex: int) -> Problem:
    """Return the problem with a shape of all features but the first, if there are several.

    A third feature has the opposite signs.
    """
    count = case.problem.in_features

    def signs(sign: int) -> tuple[int, ...]:
        return ((sign,) if count == 1 else (0, sign, -sign)[:count]) if sign else ()

    return replace(case.problem, monotone=signs(monotone), convex=signs(convex))


def _fixed(p: Problem) -> Array:
    """Return points that have the shapes, and that every dtype holds: lines, flat or steep."""
    shape = (p.in_features, p.num_control_points, p.out_features)
    rising = np.arange(p.num_control_points, dtype=np.float64)[:, None]
    signs = np.array(p.shapes.monotone)[:, None, None]
    slopes = np.arange(p.out_features)
    return np.broadcast_to(signs * rising * slopes, shape).copy()


def _check_order(problem: Problem, points: npt.NDArray[np.floating]) -> None:
    found = problem.shapes.violations(points)
    if found:
        message = f"{found} increments have the wrong sign or order\n{described(problem)}"
        raise ConformanceError("order of feasible points", np.inf, message)
