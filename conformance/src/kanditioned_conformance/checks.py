"""The checks: each runs one operation of a backend on one case against the reference.

They are plain functions, so they work without pytest: `check_forward(backend, Case(problem))`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Backend, Problem, numerics, reference
from kanditioned_spec.grid import locate

from .cases import Arrays, Case, ParameterArrays, map_of
from .tolerance import (
    ConformanceError,
    Ratios,
    compare,
    compare_products,
    map_condition,
    penalty_condition,
    transpose_condition,
)

Calls = dict[str, Callable[[], tuple[npt.ArrayLike, ...]]]


def check_forward(backend: Backend, case: Case) -> Ratios:
    """Compare y."""
    p, a = case.problem, case.arrays()
    got = backend.forward(p, a.x, a.control_points)
    want = reference.forward(a.x, a.control_points, p.spline_width)
    condition = numerics.forward_condition(_finite(a.x), a.control_points, p.spline_width)
    return compare("value", p, got, want, condition, lambda at: _row(p, a, at[0], at[1]))


def check_grad_x(backend: Backend, case: Case) -> Ratios:
    """Compare the gradient of x: of inputs off the knots, or exactly on them."""
    p, a = case.problem, case.arrays()
    got, _ = backend.vjp(p, a.x, a.control_points, a.grad_y)
    want = reference.vjp(a.x, a.control_points, p.spline_width, a.grad_y).x
    condition = numerics.vjp_condition(_finite(a.x), a.control_points, p.spline_width, a.grad_y)
    return compare("grad x", p, got, want, condition.x, lambda at: _input(p, a, at[0], at[1], 0))


def check_grad_control_points(backend: Backend, case: Case) -> Ratios:
    """Compare the gradient of the control points."""
    p, a = case.problem, case.arrays()
    _, got = backend.vjp(p, a.x, a.control_points, a.grad_y)
    want = reference.vjp(a.x, a.control_points, p.spline_width, a.grad_y).control_points
    condition = numerics.vjp_condition(_finite(a.x), a.control_points, p.spline_width, a.grad_y)
    return compare(
        "grad control points", p, got, want, condition.control_points, _contributions(p, a)
    )


def check_second_derivatives(backend: Backend, case: Case) -> Ratios:
    """Compare all three results of `vjp_of_vjp`."""
    p, a = case.problem, case.arrays()
    cotangents = (a.grad_y, a.cotangent_x, a.cotangent_control_points)
    got = backend.vjp_of_vjp(p, a.x, a.control_points, *cotangents)
    want = reference.vjp_of_vjp(a.x, a.control_points, p.spline_width, *cotangents)
    condition = numerics.vjp_of_vjp_condition(a.x, a.control_points, p.spline_width, *cotangents)
    x, control_points, grad_y = zip(got, want, condition, strict=True)
    return (
        compare("second x", p, *x, lambda at: _input(p, a, at[0], at[1], 0))
        | compare("second control points", p, *control_points, _contributions(p, a))
        | compare("second grad y", p, *grad_y, lambda at: _row(p, a, at[0], at[1]))
    )


def check_control_points(backend: Backend, case: Case) -> Ratios:
    """Compare T θ."""
    p, (theta, _) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got = backend.control_points(p, theta)
    return compare("map", p, got, spec.control_points(theta), map_condition(spec, theta))


def check_transpose(backend: Backend, case: Case) -> Ratios:
    """Compare Tᵀ g."""
    p, (_, grad) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got = backend.control_points_transpose(p, grad)
    return compare("transpose", p, got, spec.transpose(grad), transpose_condition(spec, grad))


def check_products(backend: Backend, case: Case) -> Ratios:
    """Compare ⟨g, T θ⟩ and ⟨Tᵀ g, θ⟩ with each other and with the reference."""
    p, (theta, grad) = case.problem, case.parameter_arrays()
    image = backend.control_points(p, theta)
    preimage = backend.control_points_transpose(p, grad)
    arrays = (np.asarray(array, dtype=np.float64) for array in (theta, grad, image, preimage))
    return compare_products("products", p, map_of(p), *arrays)


def check_penalty(backend: Backend, case: Case) -> Ratios:
    """Compare ‖D T θ‖²."""
    p, (theta, _) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got, want = backend.penalty(p, theta), spec.penalty(theta)
    return compare("penalty", p, got, want, penalty_condition(spec, theta, p.dtype))


def check_layer_determinism(backend: Backend, case: Case) -> Ratios:
    """Call value and gradients twice and compare the bits."""
    return _same_bits(case.problem, _layer_calls(backend, case.problem, case.arrays()))


def check_map_determinism(backend: Backend, case: Case) -> Ratios:
    """Call T, Tᵀ and the penalty twice and compare the bits."""
    return _same_bits(case.problem, _map_calls(backend, case.problem, case.parameter_arrays()))


def check_inputs_untouched(backend: Backend, case: Case) -> Ratios:
    """Check that no operation writes to the arrays it is given."""
    p, layer, maps = case.problem, case.arrays(), case.parameter_arrays()
    given = {**layer._asdict(), **maps._asdict()}
    before = {name: array.tobytes() for name, array in given.items()}
    calls = _layer_calls(backend, p, layer) | _map_calls(backend, p, maps)
    for operation, call in calls.items():
        call()
        for name, array in given.items():
            if array.tobytes() != before[name]:
                raise ConformanceError(operation, np.inf, f"it has written to {name}\n  {p}")
    return {}


def check_declared_accumulation(backend: Backend, case: Case) -> Ratios:
    """Check that positions and sums are declared to be float32 or wider."""
    dtype = case.problem.dtype
    declared = backend.info.accumulation.get(dtype)
    if declared not in (("float64",) if dtype == "float64" else ("float32", "float64")):
        raise ConformanceError(
            "accumulation", np.inf, f"`info.accumulation[{dtype!r}]` is {declared!r}"
        )
    return {}


def _same_bits(p: Problem, calls: Calls) -> Ratios:
    for operation, call in calls.items():
        for one, other in zip(call(), call(), strict=True):
            if np.asarray(one).tobytes() != np.asarray(other).tobytes():
                message = f"two calls on the same input differ in bits\n  {p}"
                raise ConformanceError(operation, np.inf, message)
    return {}


def _layer_calls(backend: Backend, p: Problem, a: Arrays) -> Calls:
    layer = (p, a.x, a.control_points)
    return {
        "forward": lambda: (backend.forward(*layer),),
        "vjp": lambda: backend.vjp(*layer, a.grad_y),
        "vjp_of_vjp": lambda: backend.vjp_of_vjp(
            *layer, a.grad_y, a.cotangent_x, a.cotangent_control_points
        ),
    }


def _map_calls(backend: Backend, p: Problem, a: ParameterArrays) -> Calls:
    return {
        "control_points": lambda: (backend.control_points(p, a.theta),),
        "control_points_transpose": lambda: (backend.control_points_transpose(p, a.grad),),
        "penalty": lambda: (backend.penalty(p, a.theta),),
    }


def _finite(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Put 0 for NaN and infinities: they must not widen the bound of entries they do not reach."""
    return np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _row(p: Problem, a: Arrays, b: int, o: int) -> str:
    return "\n".join(_input(p, a, b, i, o) for i in range(min(p.in_features, 6)))


def _input(p: Problem, a: Arrays, b: int, i: int, o: int) -> str:
    """Say where an input falls and between which control points."""
    x = float(a.x[b, i])
    interval, fraction = locate(x, p.num_control_points, p.spline_width)
    left, right = a.control_points[i, interval : interval + 2, o]
    return (
        f"  x[{b}, {i}] = {x!r}: interval {interval}, fraction {fraction:.9g}, "
        f"control_points[{i}, {interval}:{interval + 2}, {o}] = {left!s}, {right!s}"
    )


def _contributions(p: Problem, a: Arrays) -> Callable[[tuple[int, ...]], str]:
    """Return what tells the rows that add to an entry of the control points' gradient."""

    def explain(at: tuple[int, ...]) -> str:
        i, knot, o = at
        interval, _ = locate(a.x[:, i], p.num_control_points, p.spline_width)
        rows = np.flatnonzero((interval == knot) | (interval == knot - 1))
        lines = [f"{_input(p, a, b, i, o)}, grad_y = {a.grad_y[b, o]!s}" for b in rows[:6]]
        return "\n".join([f"  {len(rows)} rows reach knot {knot} of feature {i}", *lines])

    return explain
