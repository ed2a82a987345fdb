"""What holds of every operation: same bits every time, no writing to what is the caller's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Backend, Problem
from kanditioned_spec.protocol import CompleteBackend, offers
from kanditioned_spec.rounding import is_rounded

from ..cases import Arrays, Case, ParameterArrays
from ..tolerance import ConformanceError, Ratios, described
from .base import needs
from .layer import gradient

Calls = dict[str, Callable[[], tuple[npt.ArrayLike, ...]]]
ROUNDED_MAPS = ("control_points", "control_points_transpose", "parameters_from")
MAP_OPERATIONS = (*ROUNDED_MAPS, "penalty")
CONSTRUCTIONS = ("initial_control_points", "refine", "widen")


def check_layer_determinism(backend: CompleteBackend, case: Case) -> Ratios:
    """Call value and gradients twice and compare the bits."""
    return _same_bits(case.problem, _layer_calls(backend, case.problem, case.arrays()))


@needs(any_of=MAP_OPERATIONS)
def check_map_determinism(backend: CompleteBackend, case: Case) -> Ratios:
    """Call T, Tᵀ, its inverse and the penalty twice and compare the bits."""
    return _same_bits(case.problem, _map_calls(backend, case.problem, case.parameter_arrays()))


def check_layer_ownership(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that value and gradients do not write to the arrays they are given."""
    arrays = case.arrays()
    return _untouched(case.problem, arrays, _layer_calls(backend, case.problem, arrays))


@needs(any_of=MAP_OPERATIONS)
def check_map_ownership(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that T, Tᵀ, its inverse and the penalty do not write to the arrays they are given."""
    arrays = case.parameter_arrays()
    return _untouched(case.problem, arrays, _map_calls(backend, case.problem, arrays))


def check_layer_dtype(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that value and gradients are numbers of the storage dtype."""
    return _rounded(case.problem, _layer_calls(backend, case.problem, case.arrays()))


@needs(any_of=(*ROUNDED_MAPS, *CONSTRUCTIONS))
def check_map_dtype(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that control points and parameters are numbers of the storage dtype."""
    p, arrays = case.problem, case.parameter_arrays()
    calls = _map_calls(backend, p, arrays) | _construction_calls(backend, case)
    return _rounded(p, {name: call for name, call in calls.items() if name != "penalty"})


def check_layer_results_are_kept(
    backend: CompleteBackend, case: Case, later: tuple[Case, ...]
) -> Ratios:
    """Check that no later call, of this shape or another, writes to results that were returned.

    Nor do they change when the caller writes to the arrays that they came from.
    """
    p, arrays = case.problem, case.arrays()
    calls = _layer_calls(backend, p, arrays)
    again = [replace(case, seed=case.seed + n) for n in (1, 2, 3)]
    others = [other.on(p.dtype, p.device).under(case.extrapolation) for other in later]
    if fixed := backend.info.fixed_problems:
        others = [other.fitted_to(fixed) for other in others]
    usable = [other for other in others if backend.supports(other.problem) is True]
    later_calls = [_layer_calls(backend, o.problem, o.arrays()) for o in (*again, *usable)]
    return _kept(p, calls, later_calls, arrays)


@needs(any_of=(*MAP_OPERATIONS, *CONSTRUCTIONS))
def check_map_results_are_kept(backend: CompleteBackend, case: Case) -> Ratios:
    """Check the same of maps, initial control points, refinement and widening."""
    p, arrays = case.problem, case.parameter_arrays()
    calls = _map_calls(backend, p, arrays) | _construction_calls(backend, case)
    later = [replace(case, seed=case.seed + n) for n in (1, 2, 3)]
    return _kept(
        p,
        calls,
        [
            _map_calls(backend, p, each.parameter_arrays()) | _construction_calls(backend, each)
            for each in later
        ],
        arrays,
    )


def check_declared_accumulation(backend: Backend, case: Case) -> Ratios:
    """Check that positions and sums are declared to be float32 or wider."""
    dtype = case.problem.dtype
    declared = backend.info.accumulation.get(dtype)
    if declared not in (("float64",) if dtype == "float64" else ("float32", "float64")):
        message = f"`info.accumulation[{dtype!r}]` is {declared!r}"
        raise ConformanceError("accumulation", np.inf, message)
    return {}


def _same_bits(p: Problem, calls: Calls) -> Ratios:
    for operation, call in calls.items():
        for one, other in zip(call(), call(), strict=True):
            if np.asarray(one).tobytes() != np.asarray(other).tobytes():
                message = f"two calls on the same input differ in bits\n{described(p)}"
                raise ConformanceError(operation, np.inf, message)
    return {}


def _rounded(p: Problem, calls: Calls) -> Ratios:
    for operation, call in calls.items():
        for result in map(np.asarray, call()):
            stored = is_rounded(result, p.dtype)
            if not stored.all():
                first = tuple(int(i) for i in np.argwhere(~stored)[0])
                message = (
                    f"a result must be of dtype {p.dtype}, got {result[first]!r} at {list(first)}, "
                    f"which is none of its numbers\n{described(p)}"
                )
                raise ConformanceError(operation, np.inf, message)
    return {}


def _kept(
    p: Problem, calls: Calls, later: Sequence[Calls], given: Arrays | ParameterArrays
) -> Ratios:
    results = {
        operation: [np.asarray(each) for each in call()] for operation, call in calls.items()
    }
    copies = {name: [each.tobytes() for each in found] for name, found in results.items()}
    for array in given:
        array[...] = 0
    _same(p, results, copies, "the caller has written to the arrays that it was given")
    for other in later:
        for call in other.values():
            call()
        _same(p, results, copies, "there was another call")
    return {}


def _same(
    p: Problem,
    results: dict[str, list[npt.NDArray[Any]]],
    copies: dict[str, list[bytes]],
    when: str,
) -> None:
    for operation, found in results.items():
        for result, copy in zip(found, copies[operation], strict=True):
            if result.tobytes() != copy:
                message = f"a result has changed after {when}\n{described(p)}"
                raise ConformanceError(operation, np.inf, message)


def _untouched(p: Problem, given: Arrays | ParameterArrays, calls: Calls) -> Ratios:
    before = [array.tobytes() for array in given]
    for operation, call in calls.items():
        call()
        for name, array, bits in zip(given._fields, given, before, strict=True):
            if array.tobytes() != bits:
                message = f"it has written to {name}\n{described(p)}"
                raise ConformanceError(operation, np.inf, message)
    return {}


def _layer_calls(backend: CompleteBackend, p: Problem, a: Arrays) -> Calls:
    layer = (p, a.x, a.control_points, a.grad_y)

    def vjp() -> tuple[npt.ArrayLike, ...]:
        results = backend.vjp(*layer)
        return tuple(gradient(name, results) for name in backend.info.gradients)

    return _offered(
        backend,
        {
            "forward": lambda: (backend.forward(*layer[:3]),),
            "vjp": vjp,
            "vjp_of_vjp": lambda: backend.vjp_of_vjp(
                *layer, a.cotangent_x, a.cotangent_control_points
            ),
        },
    )


def _map_calls(backend: CompleteBackend, p: Problem, a: ParameterArrays) -> Calls:
    return _offered(
        backend,
        {
            "control_points": lambda: (backend.control_points(p, a.theta),),
            "control_points_transpose": lambda: (backend.control_points_transpose(p, a.grad),),
            "parameters_from": lambda: (backend.parameters_from(p, a.grad),),
            "penalty": lambda: (backend.penalty(p, a.theta),),
        },
    )


def _construction_calls(backend: CompleteBackend, case: Case) -> Calls:
    p, c = case.problem, case.parameter_arrays().grad
    return _offered(
        backend,
        {
            "initial_control_points": lambda: (
                backend.initial_control_points(p, "random_normal", case.seed),
            ),
            "refine": lambda: (backend.refine(p, c, 2 * p.num_control_points - 1),),
            "widen": lambda: backend.widen(p, c, 1)[:1],
        },
    )


def _offered(backend: Backend, calls: Calls) -> Calls:
    return {name: call for name, call in calls.items() if offers(backend, name)}
