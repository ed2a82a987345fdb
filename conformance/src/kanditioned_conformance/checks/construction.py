"""How layers begin and change: initialisers, refinement, refused arguments."""

from __future__ import annotations

import builtins
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from kanditioned_spec import Problem, initializers, numerics, refinement
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import CompleteBackend

from ..cases import Case, Floats
from ..tolerance import ConformanceError, Ratios, compare, describe, judge
from .base import expect_own_memory, expect_untouched, global_random_state, needs

MESSAGE = re.compile(r"`[\w.]+\((?P<argument>\w+)=.*\)` must .+, got .+\. .+", re.DOTALL)
"""Callable and argument, constraint, received value, what to do."""
SEEDS = (1, 2**8, 2**16, 2**31)
"""What is added to a seed for others, in each half of 32 bits."""
SIGMAS = 6.0
"""How many standard deviations a moment of random slopes may be off: one case in 10⁹."""


@needs("initial_control_points")
def check_initial(backend: CompleteBackend, case: Case, init: str) -> Ratios:
    """Compare the control points of an initialiser that draws nothing."""
    p = case.problem
    got = backend.initial_control_points(p, init, case.seed)
    want = initializers.control_points(init, p.in_features, p.out_features, p.grid)
    condition = np.where(np.any(want, axis=1, keepdims=True), p.spline_width / 2, 0)
    return compare("initial", p, got, want, np.broadcast_to(condition, want.shape))


@needs("initial_control_points")
def check_random_normal(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that functions are linear, through 0, and that each output's slopes have norm 1."""
    p = case.problem
    got, slopes = _random_slopes(backend, case)
    line = initializers.from_slopes(slopes, p.grid)
    # The slopes were read off the end points, which were themselves rounded.
    condition = np.abs(slopes)[:, None, :] * p.spline_width / 2 + 0 * line
    bound = 2 * numerics.tolerance(condition, condition, p.dtype)
    norms = np.linalg.norm(slopes, axis=0)
    each = numerics.tolerance(np.abs(slopes), slopes, p.dtype) * 2 / min(p.spline_width, 1.0)
    return judge("linear", p, got, line, bound) | judge(
        "norm of slopes", p, norms, np.ones_like(norms), np.linalg.norm(each, axis=0)
    )


@needs("initial_control_points")
def check_distribution(backend: CompleteBackend, case: Case) -> Ratios:
    """Check mean and fourth moment, 0 and 3 for a standard normal, and that outputs differ."""
    p = case.problem
    _, slopes = _random_slopes(backend, case)
    normal = slopes * np.sqrt(p.in_features)
    moments = [normal.mean(), (normal**4).mean()]
    bound = SIGMAS * np.sqrt(np.array([1.0, 24.0]) / slopes.size)
    among = slopes.T @ slopes - np.eye(p.out_features)
    few = SIGMAS / np.sqrt(p.in_features) + numerics.tolerance(np.ones(1), np.ones(1), p.dtype) * 4
    return judge("moments of slopes", p, moments, [0.0, 3.0], bound) | judge(
        "correlation of outputs", p, among, 0 * among, few
    )


@needs("initial_control_points")
def check_seed(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that a seed decides the numbers, and that no global random state is touched."""
    p = case.problem
    before = global_random_state()
    one, same, *others = (
        np.asarray(backend.initial_control_points(p, "random_normal", seed)).tobytes()
        for seed in (case.seed, case.seed, *(case.seed + more for more in SEEDS))
    )
    faults = {
        "one seed gives two layers": one != same,
        "two seeds give one layer": one in others,
        "it touches the global random state": global_random_state() != before,
    }
    for fault in (fault for fault, found in faults.items() if found):
        raise ConformanceError("seed", np.inf, f"{fault}\n{describe(p)}")
    return {}


@needs("refine")
def check_refine(backend: CompleteBackend, case: Case, num_control_points: int) -> Ratios:
    """Compare refined control points; a warning must come if the functions have changed."""
    p, (_, c) = case.problem, case.parameter_arrays()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with expect_untouched("refine", c):
            got = backend.refine(p, c, num_control_points)
    expect_own_memory("refine", got, c)
    exact = refinement.is_exact(p.num_control_points, num_control_points)
    if exact == bool(caught):
        said = f"warned: {caught[0].message}" if caught else "gave no warning"
        message = (
            f"to {num_control_points} control points is {'' if exact else 'not '}exact, {said}"
        )
        raise ConformanceError("refine", np.inf, f"{message}\n{describe(p)}")
    matrix = refinement.refinement_matrix(p.num_control_points, num_control_points)
    return compare("refine", p, got, matrix @ c, np.abs(matrix) @ np.abs(c))


@needs("widen")
def check_widen(backend: CompleteBackend, case: Case, intervals: int) -> Ratios:
    """Compare the control points and the width of a wider domain."""
    p, (_, c) = case.problem, case.parameter_arrays()
    with expect_untouched("widen", c):
        got, width = backend.widen(p, c, intervals)
    expect_own_memory("widen", got, c)
    matrix = refinement.widening_matrix(p.num_control_points, intervals)
    wanted = p.grid.widened(intervals).spline_width
    in_double = replace(p, dtype="float64")
    return compare("widen", p, got, matrix @ c, np.abs(matrix) @ np.abs(c)) | compare(
        "widened width", in_double, width, wanted, wanted
    )


@needs("layer")
def check_refusal(
    backend: CompleteBackend, case: Case, argument: str, value: Any, error: str
) -> Ratios:
    """Check that a bad argument is refused with an error of the right kind that says all of it."""
    try:
        _build(backend, case.problem, argument, value)
    except (TypeError, ValueError) as raised:
        said = MESSAGE.fullmatch(str(raised))
        kind = isinstance(raised, getattr(builtins, error))
        if kind and said and said["argument"] == argument:
            return {}
        message = f"got {type(raised).__name__}: {raised}"
    else:
        message = "a layer was built"
    raise ConformanceError(
        "layer",
        np.inf,
        f"{argument}={value!r}: {message}\n  want {error}: "
        f"`KANLayer({argument}=...)` must be CONSTRAINT, got VALUE. REMEDY",
    )


@needs("layer")
def check_acceptance(backend: CompleteBackend, case: Case, argument: str, value: Any) -> Ratios:
    """Check that a good argument is taken."""
    _build(backend, case.problem, argument, value)
    return {}


def _build(backend: CompleteBackend, p: Problem, argument: str, value: Any) -> None:
    arguments: dict[str, Any] = {"in_features": p.in_features, "out_features": p.out_features}
    if p.parameterization != "bspline":
        arguments["parameterization"] = p.parameterization
    backend.layer(**arguments | {argument: value})


def _random_slopes(backend: CompleteBackend, case: Case) -> tuple[Floats, Array]:
    """Return the control points of `random_normal`, and the slopes (I, O) from end to end."""
    p = case.problem
    got = backend.initial_control_points(p, "random_normal", case.seed)
    c = np.asarray(got, dtype=np.float64)
    shape = (p.in_features, p.num_control_points, p.out_features)
    if c.shape != shape:
        raise ConformanceError("initial", np.inf, f"got shape {c.shape}, want {shape}")
    return c, (c[:, -1] - c[:, 0]) / np.ptp(p.grid.knots())
