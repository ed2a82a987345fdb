"""What holds of every operation: same bits every time, no writing to what is the caller's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Backend, Problem
from kanditioned_spec.protocol import CompleteBackend, offers

from ..cases import Arrays, Case, ParameterArrays
from ..tolerance import ConformanceError, Ratios, described
from .base import needs
from .layer import gradient

Calls = dict[str, Callable[[], tuple[npt.ArrayLike, ...]]]
MAP_OPERATIONS = ("control_points", "control_points_transpose", "parameters_from", "penalty")


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


def _offered(backend: Backend, calls: Calls) -> Calls:
    return {name: call for name, call in calls.items() if offers(backend, name)}
